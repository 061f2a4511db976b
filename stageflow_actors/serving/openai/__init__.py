"""Routes in the form of the OpenAI API: chat, speech to text, text to speech, out of pipelines."""
