"""Jobs: how far an order is."""

from cellctl.core.job import Job


def test_a_job_is_finished_when_all_its_parts_are() -> None:
    job = Job("J", "r", 2)
    assert (job.done, job.all_started, job.finished) == (0, False, False)
    job.started, job.good = 2, 1
    assert (job.done, job.all_started, job.finished) == (1, True, False)
    job.reject = 1
    assert (job.done, job.finished) == (2, True)


def test_of_a_cancelled_job_only_what_was_begun_is_finished() -> None:
    job = Job("J", "r", 9, started=1, cancelled=True)
    assert (job.all_started, job.finished) == (True, False)
    job.good = 1
    assert job.finished
    assert Job("K", "r", 9, cancelled=True).finished


def test_a_part_without_own_values_takes_those_of_the_recipe() -> None:
    job = Job("J", "r", 3, ({"name": "a"}, {}))
    assert [job.values_of(number) for number in (1, 2, 3)] == [{"name": "a"}, {}, {}]
