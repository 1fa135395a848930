"""Evidence for progress.py: silent unless somebody looks, and nothing global changes."""

import io
import threading

import pytest

from dynome import progress


def work(n=4):
    with progress.task("fitting restarts", total=n) as advance:
        for _ in range(n):
            advance(1)


def test_work_is_silent_by_default(capfd):
    work()
    assert capfd.readouterr() == ("", "")


def test_a_bar_is_shown_where_somebody_asks_for_it(capfd):
    stream = io.StringIO()
    with progress.show(stream) as bar:
        work()
        assert [(t.description, t.completed, t.total) for t in bar.tasks] == [("fitting restarts", 4, 4)]
    assert "fitting restarts" in stream.getvalue()
    assert capfd.readouterr() == ("", "")


def test_bars_go_to_the_error_stream_so_that_piped_output_stays_clean(capfd):
    with progress.show():
        work()
    out, err = capfd.readouterr()
    assert out == ""
    assert "fitting restarts" in err


@pytest.mark.parametrize("total", [None, 0])
def test_work_of_unknown_length_ends_as_finished(total):
    with progress.show(io.StringIO()) as bar:
        with progress.task("reading", total=total) as advance:
            advance(0.5)
        assert bar.finished


def test_work_that_fails_is_not_shown_as_finished():
    def fails():
        with progress.task("fitting", total=2) as advance:
            advance(1)
            raise RuntimeError("boom")

    with progress.show(io.StringIO()) as bar:
        with pytest.raises(RuntimeError, match="boom"):
            fails()
        assert not bar.finished


def test_after_the_block_work_is_silent_again():
    with pytest.raises(RuntimeError, match="boom"), progress.show(io.StringIO()) as bar:
        raise RuntimeError("boom")
    work()
    assert bar.tasks == []


def test_threads_started_elsewhere_stay_silent():
    with progress.show(io.StringIO()) as bar:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert bar.tasks == []


def test_steps_of_hundreds_of_sessions_leave_one_line():
    stream = io.StringIO()
    with progress.show(stream) as bar:
        with progress.task("sessions", total=300) as advance:
            for _ in range(300):
                work()
                assert len(bar.tasks) == 1
                advance(1)
        work()
        assert [t.description for t in bar.tasks] == ["sessions", "fitting restarts"]
    assert stream.getvalue().count("\n") < 5


def test_a_step_that_failed_inside_a_task_is_shown_no_longer():
    with progress.show(io.StringIO()) as bar, progress.task("sessions", total=1) as advance:
        with pytest.raises(RuntimeError, match="boom"), progress.task("fitting", total=2):
            raise RuntimeError("boom")
        advance(1)
        assert [t.description for t in bar.tasks] == ["sessions"]
