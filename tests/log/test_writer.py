"""log/writer.py: writing never holds up whoever writes."""

from threading import Event

from banwatch.log.writer import Writer


class Slow:
    """A sink that stands still until it is let go."""

    def __init__(self):
        self.events, self.closed, self.lost = [], False, 0
        self.go, self.busy = Event(), Event()

    def write(self, event):
        self.busy.set()
        self.go.wait(10)
        self.events.append(event["event"])

    def reopen(self):
        raise OSError(28, "No space left on device")

    def close(self):
        self.closed = True


def test_a_sink_that_stands_still_costs_lines_but_no_time():
    """What does not fit the queue is dropped and counted, and the count is told when there is room again."""
    sink = Slow()
    writer = Writer(sink, longest=2)
    writer.write({"event": "first"})
    assert sink.busy.wait(10)
    for number in range(5):
        writer.write({"event": str(number)})
    assert writer.dropped == 3
    sink.go.set()
    writer.close()
    assert sink.events == ["first", "0", "1"]
    assert sink.closed


def test_all_that_is_lost_is_counted():
    """Dropped from the queue, or refused by a sink, also by one that is not in use any more."""
    old, new = Slow(), Slow()
    writer = Writer(old, longest=1)
    writer.write({"event": "first"})
    assert old.busy.wait(10)
    writer.write({"event": "second"})
    writer.write({"event": "dropped"})
    old.lost = 2
    assert writer.lost == 3
    writer.change(new)
    for sink in (old, new):
        sink.go.set()
    writer.close()
    new.lost += 4
    assert writer.lost == 7


def test_what_was_lost_is_told():
    """The reader of the log learns how many lines are missing."""
    sink = Slow()
    writer = Writer(sink, longest=1)
    writer.write({"event": "first"})
    assert sink.busy.wait(10)
    writer.write({"event": "second"})
    writer.write({"event": "lost"})
    sink.busy.clear()
    sink.go.set()
    while sink.events != ["first", "second"]:
        sink.busy.wait(1)
    writer.write({"event": "third"})
    writer.close()
    assert sink.events == ["first", "second", "log lines were lost", "third"]


def test_changing_the_sink_keeps_the_order():
    """What was written before goes to the old one, which is closed then."""
    old, new = Slow(), Slow()
    old.go.set()
    new.go.set()
    writer = Writer(old)
    writer.write({"event": "before"})
    writer.change(new)
    writer.write({"event": "after"})
    writer.close()
    assert (old.events, old.closed, new.events) == (["before"], True, ["after"])


def test_a_file_that_cannot_be_reopened_stays_in_use():
    """The error goes to what is still open."""
    sink = Slow()
    sink.go.set()
    writer = Writer(sink)
    writer.reopen()
    writer.close()
    assert sink.events == ["log cannot be reopened"]
