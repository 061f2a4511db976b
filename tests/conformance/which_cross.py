"""Which tests cross processes in every run of the suite; those of other modules all do.

What happens next is decided by the same code on every runtime, so a few of each are enough to see
that it is asked. Starting the processes of all of them takes minutes: the full counts do.
"""

IN_EVERY_RUN = {
    "test_modes": {
        "test_fail_fast_async_hands_back_a_live_run_and_tells_its_failure",
        "test_continue_on_error_finishes_what_does_not_need_the_failed_stage",
        "test_stage_error_says_what_is_done_about_a_failure",
        "test_a_run_that_uses_up_its_own_time_is_stopped_tolerant_or_not",
    },
    "test_error_calls": {
        "test_the_callback_hears_here_and_now_while_the_run_goes_on",
        "test_the_callback_of_the_pipeline_that_runs_hears_though_others_have_the_same_stages",
    },
    "test_doing_without": {
        "test_a_stage_runs_without_its_optional_inputs_and_sees_why",
        "test_dependents_read_the_fallback_of_a_failed_stage",
    },
    "test_branch_cancel": {
        "test_descendants_are_skipped_with_the_reason_and_where_it_came_from",
        "test_a_join_with_a_live_input_runs_and_reads_why_the_others_are_not_there",
    },
    "test_retries": {
        "test_a_failure_that_stays_is_executed_as_often_as_the_policy_says",
        "test_a_timeout_of_the_stage_is_retried_and_limits_each_attempt",
        "test_the_delay_is_at_least_what_the_failure_asks_for",
        "test_dependents_start_once_after_the_success_and_read_its_output",
        "test_a_cancel_while_a_stage_waits_for_its_retry_ends_the_run",
        "test_a_stage_that_may_be_repeated_survives_the_death_of_its_process",
        "test_a_stage_that_may_have_done_its_work_is_not_repeated",
        "test_a_policy_that_names_the_loss_has_the_stage_repeated",
    },
    "test_guards": {
        "test_what_was_rejected_is_made_again_and_then_used",
        "test_dependents_of_the_producer_read_only_what_passed",
        "test_the_producer_is_told_who_rejected_what_and_why",
        "test_a_guard_that_dies_denies_and_has_nothing_made_again",
    },
    "test_interceptors": {
        "test_before_is_asked_by_priority_and_the_others_in_reverse",
        "test_the_error_of_an_interceptor_is_the_original_of_the_failure",
        "test_on_error_may_ask_for_another_attempt",
        "test_interceptors_work_in_the_process_of_the_stage",
    },
    "test_admission": {
        "test_a_run_of_nobody_known_is_not_started",
        "test_stages_of_an_admitted_run_see_for_whom_it_is_and_no_token",
        "test_checks_count_though_the_same_stages_are_up_for_a_pipeline_without",
    },
    "test_deadlines": {
        "test_a_stage_that_takes_too_long_is_stopped_and_the_run_says_so",
        "test_what_time_is_left_travels_down_to_a_run_that_a_stage_starts",
        "test_a_generator_in_a_stage_that_times_out_is_closed_before_the_verdict",
        "test_nothing_starts_in_a_chain_after_the_time_of_its_run_is_up",
        "test_the_cleanup_of_a_stage_that_times_out_is_awaited",
        "test_the_process_of_a_body_that_does_not_stop_is_ended_and_replaced",
        "test_a_plain_def_that_asks_within_its_grace_ends_by_itself",
        "test_an_attempt_that_did_not_stop_is_followed_by_one_with_its_whole_time",
    },
    "test_effects": {
        "test_a_key_is_the_same_for_every_attempt_and_for_no_other_stage_or_run",
        "test_a_stage_whose_process_died_is_repeated_only_where_that_does_no_harm",
        "test_a_stage_survives_so_many_deaths_of_its_process_and_no_more",
        "test_the_victims_of_another_run_are_repeated_where_that_does_no_harm",
        "test_a_process_that_is_to_be_ended_twice_at_once_is_replaced_once",
    },
    "test_breakers": {
        "test_after_enough_failures_nothing_is_executed_any_more",
        "test_a_probe_that_succeeds_closes_the_circuit",
        "test_a_process_that_dies_counts",
    },
    "test_idempotency": {
        "test_the_same_key_is_executed_once_and_answered_alike",
        "test_runs_that_come_meanwhile_wait_for_the_one_that_is_executed",
        "test_a_cancelled_owner_frees_its_key_for_one_who_waits",
        "test_a_key_with_other_parameters_is_refused",
        "test_answers_in_a_file_are_there_for_the_next_deployment",
        "test_on_ray_a_store_is_given_by_its_path",
    },
    "test_start_hooks": {
        "test_hook_is_called_here_before_each_stage_in_order",
        "test_hook_hears_of_a_stage_that_is_skipped",
        "test_hook_that_raises_fails_its_stage_and_nothing_else",
        "test_run_can_be_cancelled_while_a_hook_takes_its_time",
    },
    "test_routes": {
        "test_decision_takes_its_branch_and_no_other_however_it_is_returned",
        "test_decision_is_told_in_an_event_before_anything_of_its_branches",
        "test_join_runs_with_one_live_input_and_is_passed_by_with_none",
        "test_decision_that_cannot_be_made_fails_its_stage_and_says_what_is_wrong",
        "test_object_in_a_decision_is_a_copy_for_each_reader_and_text_in_the_event",
        "test_route_and_confidence_of_classes_of_their_own_arrive_plain",
    },
    "test_skips": {
        "test_returned_skip_passes_to_conditional_dependents_and_ends_at_the_others",
        "test_skip_reason_counts_where_it_is_true_and_is_then_told_as_text",
    },
    "test_order_edges": {
        "test_stage_after_any_runs_after_a_failure_and_the_verdict_stays",
        "test_stage_after_any_runs_after_a_timeout_once_the_late_stage_has_ended",
        "test_cancel_from_outside_interrupts_what_runs_after_a_failure_and_starts_no_more",
        "test_reading_what_only_has_to_end_before_says_how_to_get_its_data",
    },
}
