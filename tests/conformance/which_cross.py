"""Which tests cross processes in every run of the suite; those of other modules all do.

What happens next is decided by the same code on every runtime, so a few of each are enough to see
that it is asked. Starting the processes of all of them takes minutes: the full counts do.
"""

MOST_OF_A_MODULE = 2
"""Of those that may, the first of a module; and of one with several cases, the first."""

IN_EVERY_RUN = {
    "test_bad_input": {
        "test_raised_exception_arrives_with_type_args_text_and_traceback",
        "test_exception_that_cannot_be_pickled_keeps_its_type_name_and_text",
        "test_stage_that_tries_to_end_the_process_fails_and_the_stage_lives_on",
        "test_stage_that_cannot_be_set_up_fails_the_deployment_and_is_named",
        "test_deployment_given_up_while_it_opens_tears_down_what_was_set_up",
        "test_input_that_cannot_be_pickled_is_refused_before_the_run",
    },
    "test_isolation": {
        "test_plain_data_arrives_deeply_read_only",
        "test_context_variable_that_a_stage_sets_is_not_there_for_the_next",
        "test_objects_arrive_as_a_copy_for_each_reader",
        "test_arrays_arrive_read_only_with_shape_type_and_values",
        "test_array_written_by_its_maker_afterwards_stays_as_returned",
        "test_odd_but_legal_values_arrive_unchanged",
        "test_output_that_cannot_leave_fails_its_stage_and_loses_nothing_else",
    },
    "test_cleanup": {
        "test_cleanups_run_newest_first_and_once_however_the_stage_ends",
        "test_cleanups_run_once_in_a_stage_that_is_interrupted",
        "test_cleanup_of_a_plain_def_runs_in_the_thread_of_its_body",
        "test_dependents_and_verdict_come_after_the_cleanups",
    },
    "test_failure": {
        "test_siblings_of_a_failed_stage_have_cleaned_up_before_the_verdict",
        "test_output_of_a_stage_that_finishes_after_its_timeout_is_not_used",
        "test_failure_carries_every_finished_output",
        "test_result_never_raises_and_error_says_what_run_would_raise",
        "test_coroutine_that_a_plain_def_returns_is_stopped_like_any",
    },
    "test_cancel": {
        "test_stage_that_cancels_ends_the_run_with_its_reason_and_all_finished_outputs",
        "test_context_cancelled_before_the_run_starts_no_stage",
        "test_cancel_from_outside_stops_the_running_last_stage_at_once",
        "test_first_reason_stays",
        "test_cancelled_caller_gets_its_cancel_only_after_the_run_has_ended",
        "test_closing_a_deployment_cancels_its_runs_and_waits_for_them",
        "test_cancelling_a_run_started_by_a_stage_leaves_that_stage_alone",
    },
    "test_snapshots": {
        "test_a_full_snapshot_arrives_in_every_stage_as_it_was",
        "test_no_container_of_a_snapshot_can_be_written_to",
    },
    "test_build": {
        "test_missing_dependency_is_found_when_deploying_and_not_before",
    },
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
        "test_object_in_a_decision_is_a_copy_for_each_reader_and_text_in_the_event",
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
    "test_events": {
        "test_events_are_live_while_the_run_goes_on",
        "test_events_beyond_the_bound_are_dropped_and_counted_but_not_the_runtimes_own",
        "test_every_reader_gets_every_event",
        "test_ordinary_run_emits_its_whole_life",
        "test_odd_data_in_an_event_does_not_fail_the_stage",
        "test_sink_is_fed_while_a_long_run_goes_on",
        "test_cancelled_run_ends_with_its_cancel",
    },
    "test_run_cleanup": {
        "test_cleanups_of_a_run_are_called_newest_first_in_the_process_of_the_caller",
        "test_cleanups_of_a_run_are_called_when_its_deployment_closes",
        "test_cleanups_of_a_run_are_called_when_the_process_of_a_stage_dies",
        "test_cleanups_of_a_run_come_after_its_verdict_and_before_its_result",
    },
    "test_contracts": {
        "test_violation_fails_the_producer_and_the_reader_never_runs",
        "test_typed_output_carries_its_version",
        "test_input_of_a_run_keeps_the_contract_of_its_first_stages",
    },
    "test_order": {
        "test_independent_stages_all_run_at_once",
        "test_blocking_stages_run_at_the_same_time",
        "test_concurrent_runs_share_nothing",
        "test_branches_of_a_diamond_overlap_and_the_join_waits_for_both",
    },
    "test_children": {
        "test_every_end_of_a_child_is_a_result_of_its_own_kind",
        "test_who_listens_to_errors_of_a_child_hears_of_them",
        "test_a_child_that_cannot_be_set_up_is_a_failure_and_not_a_hang",
        "test_a_plain_def_spawns_through_a_loop_of_its_own",
    },
    "test_children_inputs": {
        "test_a_child_is_a_run_of_its_own_for_the_same_people",
        "test_a_child_that_may_not_be_started_is_not",
    },
    "test_children_limits": {
        "test_how_deep_is_a_setting_that_reaches_every_level",
        "test_what_a_stage_has_left_behind_starts_no_child",
    },
    "test_children_events": {
        "test_events_of_every_generation_reach_the_sink_each_once_under_their_own_run",
        "test_events_of_a_long_child_arrive_while_it_runs",
    },
    "test_children_ends": {
        "test_a_cancel_goes_down_to_every_generation",
        "test_a_child_that_is_given_up_at_once_ends_too",
    },
    "test_stage_results": {
        "test_version_and_artifacts_reach_the_result",
        "test_events_of_an_output_are_published",
        "test_plain_def_runs_off_the_main_thread",
        "test_setup_and_teardown_run_once_around_all_executions_of_one_instance",
    },
    "test_runs": {
        "test_graph_runs_from_a_stage_context",
        "test_started_run_is_watched_through_its_handle",
        "test_map_goes_on_after_a_failure_and_takes_an_async_source",
        "test_leaving_map_early_cancels_what_still_runs",
        "test_cancelling_a_context_cancels_every_run_on_it",
        "test_opening_twice_opens_once_and_every_close_waits_for_the_one",
        "test_snapshot_of_a_class_of_its_own_reaches_the_stages",
    },
    "test_cleanup_faults": {
        "test_cleanup_that_is_stuck_in_an_interrupted_stage_ends_in_time",
        "test_cleanup_that_cancels_its_own_task_does_not_take_the_run_along",
    },
    "test_contexts": {
        "test_context_says_the_same_in_every_stage_as_to_its_caller",
        "test_run_that_a_stage_starts_sees_what_the_stage_saw",
        "test_object_in_the_data_is_a_copy_for_each_stage_and_arrays_are_read_only",
        "test_ports_reach_every_stage_by_name_and_are_read_only",
    },
}
