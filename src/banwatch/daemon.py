"""
The daemon: knows every room and joins them.

Life: configuration, control socket (a second daemon stops here), firewall, own addresses, adoption of what the kernel holds,
logs, ready. Everything runs in one event loop under one TaskGroup; stopping goes the other way round and leaves the bans in
the kernel.
"""

import asyncio
import gc
import signal
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from errno import ENOENT
from itertools import chain
from math import inf
from pathlib import Path
from typing import Any

from banwatch.address import family_of
from banwatch.commands import Commands, Handler
from banwatch.config.check import warn_unserved_ports
from banwatch.config.choice import is_open, prefer_journal
from banwatch.config.load import DIRECTORY, load_config
from banwatch.config.model import Config, DoorsSpec, Problem
from banwatch.config.problem import count_problems, render_problem
from banwatch.control.peer import Peer
from banwatch.control.server import Server
from banwatch.enforcer import Enforcer, concerns_kernel, key_of
from banwatch.engine import Change, Engine, Surroundings
from banwatch.errors import EXIT_CONFIG, ConfigError, ControlError, FirewallError
from banwatch.evidence.clue import Where
from banwatch.evidence.readback import read_back
from banwatch.firewall.base import Firewall
from banwatch.firewall.open import open_firewall
from banwatch.firewall.refusal import refusal
from banwatch.host.addresses import UNKNOWN, AddressWatch, HostAddresses
from banwatch.host.clock import Clock
from banwatch.host.connections import local_ports_of
from banwatch.host.memory import give_back
from banwatch.host.systemd import Notifier
from banwatch.inquiry import Held, Inquiry
from banwatch.jail.leaks import MOST as MOST_LEAKS
from banwatch.jail.leaks import Leak, likely_reason
from banwatch.keeper import Keeper
from banwatch.lanes import Patterns, compile_scanners
from banwatch.learn import is_worth_it, learn_logins
from banwatch.ledger import Ledger
from banwatch.listening import Sources
from banwatch.log import Log
from banwatch.logins.doors import Doors
from banwatch.mender import Mender
from banwatch.metrics.http import MetricsServer
from banwatch.metrics.registry import Metrics, Reading
from banwatch.model import ALLOW, JOURNAL, Ban, Chunk, Target
from banwatch.readings import read_doors, read_edges, read_engine, read_reconciler, read_sources, read_store
from banwatch.reconciler import Reconciler
from banwatch.reporter import Reporter
from banwatch.scribe import Scribe
from banwatch.sources.base import Source
from banwatch.store.database import Bounds
from banwatch.store.null import NullStore
from banwatch.store.store import FileStore, Store
from banwatch.store.values import Event
from banwatch.switchboard import JailView, Switchboard
from banwatch.transfer import Transfer

SWEEP_SECONDS = 60.0
PIECE_BYTES = 64 * 1024
"""So much of a log is worked on at once; under an attack that takes a few milliseconds, in which nothing else happens."""

LASTING = frozenset({"ban", "unban", "allow", "import"})
"""Commands whose changes are on the disk, and in the files of the services, before they are acknowledged."""

LOOKING = 8
"""Leaks that are looked into together, once a second; of more than MOST_LEAKS that wait for it the newest."""

Key = tuple[str, Target]


@dataclass(frozen=True, slots=True)
class Options:
    """
    What the command line says; a socket or state of None leaves it to the configuration.

    Args:
        state: the file of the store, or "none". A dry run has none unless it is named: it must not touch another daemon's.
    """

    directory: Path = DIRECTORY
    dry_run: bool = False
    socket: str | None = None
    state: str | None = None


class Daemon:
    """One running banwatch. Building it opens nothing; `run` lives until a signal or `stop`."""

    _server: Server
    _firewall: Firewall
    _enforcer: Enforcer
    _keeper: Keeper
    _mender: Mender
    _reconciler: Reconciler
    _sources: Sources
    _doors: Doors
    _jails: Switchboard
    _store: Store
    _scribe: Scribe

    def __init__(self, options: Options, notifier: Notifier) -> None:
        self._options = options
        self._notifier = notifier
        self._output = Log()
        self._log = self._output.logger()
        self._metrics = Metrics()
        self._reporter = Reporter(self._log, self._metrics, options.dry_run)
        self._clock = Clock()
        self._ready = asyncio.Event()
        self._counting = asyncio.Event()
        self._stopping = asyncio.Event()
        self._flush = False
        self._ledger = Ledger(self._clock, lambda changes: self._keeper.enact(changes))
        self._feeding = asyncio.Lock()  # held while a chunk is worked on
        self._changing = asyncio.Lock()  # held while which jails there are, or are on, changes
        self._faults: list[str] = []
        self._leaks: deque[Leak] = deque(maxlen=MOST_LEAKS)
        self._looking: asyncio.Task[None] | None = None

    # Life

    async def run(self) -> None:
        """
        Protect the host until told to stop.

        Raises:
            ConfigError: banwatch.yaml is unusable, or no jail remains.
            ControlError: another daemon answers on the socket, or the socket cannot be made.
            FirewallError: the kernel lacks something, or rights are missing.
        """
        config = load_config(self._options.directory)
        if config.unusable:
            raise ConfigError(config.unusable, problems=config.problems)
        self._configure_log(config)
        self._tell(config.problems)
        async with AsyncExitStack() as stack:
            stack.callback(self._output.close)
            self._server = await stack.enter_async_context(self._make_server(config))
            self._firewall = await open_firewall(config.daemon.firewall, self._options.dry_run)
            stack.push_async_callback(self._firewall.close)
            self._enforcer = Enforcer(
                self._firewall, self._reporter.done, self._reporter.given_up, self._clock, refused=self._note_refusal
            )
            self._store = self._make_store(config)
            self._scribe = Scribe(self._store, self._ledger, self._clock, self._log, lambda: self._metrics.error("store"))
            doors = DoorsSpec() if self._options.dry_run else config.daemon.doors
            self._doors = Doors(doors, lambda: self.engine, self._clock, self._take_reported, self._log)
            surroundings = Surroundings(*await self._watch_addresses(stack))
            self._ledger.engine = engine = Engine(config, surroundings, journaled=True, doors=self._doors)
            self._keeper = Keeper(engine, self._enforcer, self._reporter, self._clock, self._record)
            stack.callback(gc.enable)
            gc.disable()  # until all stands; a hundred thousand bans are no garbage
            self._scribe.changed(self._ledger.restore(await self._scribe.load()))
            self._reporter.remembered(engine.book)
            self._clock.listen(self._step_clock, self._keeper.rearm)
            await stack.enter_async_context(self._clock)
            self._sources = await stack.enter_async_context(Sources(clock=self._clock, resume=self._scribe.positions))
            self._jails = Switchboard(self._firewall, self._sources, self._log)
            self._ledger.follow(self._sources.sources, self._scribe.positions)
            config = await self._jails.start(config, frozenset(ban.jail for ban in engine.book))
            self._go_over(Engine(config, older=engine))
            self._mender = Mender(self._firewall, self._keeper, self._enforcer, self._reporter, self._log, self._clock)
            self._reconciler = Reconciler(
                self._firewall,
                self._keeper,
                self._enforcer,
                self._mender,
                self._log,
                self._jails.lay,
                self._changing,
                self._clock,
            )
            await self._open_metrics(config, stack)
            await self._switch_on_behind_doors()
            await stack.enter_async_context(self._doors)
            self._tell(warn_unserved_ports(config))
            if fault := self._sources.fault:
                self._log.warning(fault.message, hint=fault.hint)
            self._jails.tell_missing()
            await self._live()

    def stop(self, flush: bool = False) -> None:
        """End soon; `flush` takes our bans and rules out of the kernel."""
        self._flush = self._flush or flush
        self._stopping.set()

    async def _live(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.stop)
        loop.add_signal_handler(signal.SIGINT, self.stop)
        loop.add_signal_handler(signal.SIGUSR1, self._output.reopen)
        async with asyncio.TaskGroup() as tasks:
            loop.add_signal_handler(signal.SIGHUP, lambda: tasks.create_task(self._reload_by_signal()))
            running = [tasks.create_task(self._enforcer.run())]
            await self._reconciler.compare(thoroughly=True)
            now = self._clock()
            self._keeper.enact([*self.engine.drop_ignored(now), *self.engine.follow_enforce(now)])
            living = (
                self._learn(),
                self._reconciler.run(),
                self._doors.run(),
                self._scribe.run(),
                self._sweep(),
                self._feed_watchdog(),
            )
            running += [tasks.create_task(task) for task in (*living, *map(self._read, self._sources.parts))]
            self._keeper.arm()
            self._ready.set()
            self._say_ready()
            gc.collect()
            give_back()
            gc.freeze()  # what was built until now stays; no collection need walk it again
            gc.enable()
            await self._stopping.wait()
            self._notifier.stopping()
            for task in running:
                task.cancel()
        await self._end()

    async def _end(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
        self._keeper.disarm()
        await self._enforcer.settle()
        if self._flush:
            # Sets of others stay, with what others put into them: our bans are taken out one by one.
            ours = [ban for ban in self.engine.book if concerns_kernel(ban) and ban.origin != "adopted"]
            await self._firewall.unban([(ban.jail, ban.target) for ban in ours])
            await self._firewall.teardown()
            keys = [key_of(ban) for ban in self.engine.book if ban.jail != ALLOW]
            self._record(self.engine.unban(keys, self._clock(), "flushed"))
            await self._doors.settle()
        await self._scribe.close()
        self._log.info("stopped", bans=len(self.engine.book), flushed=self._flush)

    async def _read(self, part: Source) -> None:
        await self._prepare(source.patterns for source in part.sources().values() if not source.missing)
        async for chunk in part:
            if not self.engine.lanes.is_ready(chunk.patterns):
                await self._prepare((chunk.patterns,))
            if self._concerns_change(chunk):
                async with self._changing:
                    await self._prefer_journal(chunk)
                    if off := self.engine.lanes.of(chunk.patterns).watching - self._jails.on:
                        await self._switch_on(off)
            async with self._feeding:
                await self._work_on(chunk)

    async def _work_on(self, chunk: Chunk) -> None:
        async with self._scribe.reading(chunk):
            pieces = chunk.pieces(PIECE_BYTES)
            try:
                for piece in pieces:
                    self._feed(piece)
                    await asyncio.sleep(0)
            finally:
                for piece in pieces:  # whoever is cancelled leaves no chunk half done
                    self._feed(piece)

    async def _prepare(self, sources: Iterable[Patterns]) -> None:
        """Have what these sources are scanned with compiled, while the loop goes on."""
        lanes = self.engine.lanes
        lanes.take(await asyncio.to_thread(compile_scanners, self.engine.config, set(sources), lanes.known()[1]))
        give_back()

    def _concerns_change(self, chunk: Chunk) -> bool:
        """Whether a jail has to be switched on for `chunk`, or a reload is about to bring the jails that it is for."""
        patterns = chunk.patterns or frozenset()
        if self.engine.lanes.of(patterns).watching - self._jails.on or not patterns <= self.engine.patterns:
            return True
        return chunk.source == JOURNAL and is_open(self.engine.config, patterns)

    async def _prefer_journal(self, chunk: Chunk) -> None:
        """It has had no entry of some service until now; from here on the logs of this one are not read."""
        before = self.engine.config
        config = prefer_journal(before, chunk.patterns or frozenset()) if chunk.source == JOURNAL else before
        if config is not before:
            scanners = await asyncio.to_thread(compile_scanners, config, *self.engine.lanes.known())
            self._go_over(Engine(config, older=self.engine, scanners=scanners))
            await self._jails.narrow(config)
            changed = sorted(name for name, spec in config.jails.items() if spec != before.jails[name])
            self._log.info("the journal is read from now on", jails=", ".join(changed))

    def _go_over(self, engine: Engine) -> Engine:
        """From here on `engine` decides."""
        self._keeper.engine = self._ledger.engine = engine
        return engine

    async def _switch_on(self, jails: frozenset[str]) -> None:
        await self._jails.switch_on(jails)
        await self._reconciler.compare()

    async def _switch_on_behind_doors(self) -> None:
        """A service that asks needs no log for its jail to be on."""
        specs = self.engine.config.jails
        behind = frozenset(name for name in specs if any(watch.filter in self._doors.told for watch in specs[name].watch))
        if off := behind - self._jails.on:
            await self._jails.switch_on(off)

    def _note_refusal(self, error: FirewallError) -> None:
        if error.errno == ENOENT:
            self._reconciler.look_soon()  # a set is gone

    def _feed(self, chunk: Chunk) -> None:
        try:
            scanner = self.engine.lanes.of(chunk.patterns).scanner
            before = scanner.matches
            self._keeper.enact(self.engine.feed(chunk, self._clock()))
            self._counting.set()
            self._tell_alarms()
            self._tell_leaks()
            if scanner.matches > before:
                self._scribe.counted()
        except Exception:
            # A fault of ours that some line has found must not end the protection from all the others.
            self._metrics.error("engine")
            self._log.exception("lines could not be handled", log=chunk.source, start=chunk.start, bytes=len(chunk.data))

    def _record(self, changes: Sequence[Change]) -> None:
        self._scribe.changed(changes)
        self._doors.note(changes)

    def _take_reported(self, changes: Sequence[Change]) -> None:
        self._keeper.enact(changes)
        self._counting.set()
        self._scribe.counted()
        self._tell_alarms()

    def _tell_leaks(self) -> None:
        self._leaks.extend(self.engine.take_leaks())
        if self._leaks and (self._looking is None or self._looking.done()):
            self._looking = asyncio.create_task(self._look_into_leaks())

    async def _look_into_leaks(self) -> None:
        """Find out how those who are banned may get through, and tell it, once for each ban; sets are listed once for several."""
        while self._leaks:
            leaks = [self._leaks.popleft() for _ in range(min(LOOKING, len(self._leaks)))]
            dropped: Mapping[str, Mapping[str, int]] = {}
            with suppress(FirewallError):
                dropped = await self.dropped()
            for leak in leaks:
                jail, who = leak.ban.jail, leak.ban.target.who
                if (spec := self.engine.config.jails.get(jail)) is None:
                    continue
                ports = await asyncio.to_thread(local_ports_of, who)
                leak.reason = likely_reason(spec, self.in_force(leak.ban), dropped.get(jail, {}).get(who, 0), ports)
                self._log.warning("leak: who is banned gets through", jail=jail, who=who, reason=leak.reason)
            await asyncio.sleep(1.0)

    def _tell_alarms(self) -> None:
        for alarm in self.engine.take_alarms():
            self._metrics.count("banwatch_jail_alarms_total", alarm.jail)
            self._log.warning("account looks compromised", jail=alarm.jail, login=alarm.login, why=alarm.why)
            self._doors.look_anew()

    async def _learn(self) -> None:
        """Who got in during the last month, if that matters and nobody has remembered it."""
        if not is_worth_it(self.engine.config) or any(len(jail.known) for jail in self.engine.jails.values()):
            return
        learnt = await asyncio.to_thread(learn_logins, self.engine.config, self._clock())
        for number, success in enumerate(learnt):
            if (jail := self.engine.jails.get(success.jail)) is not None:
                jail.learn(success.ip, success.login, success.at)
            if number % 256 == 0:
                await asyncio.sleep(0)
        self._doors.look_anew()
        self._scribe.counted()
        self._log.info("good logins of the last month are known", logins=len(learnt))

    async def _sweep(self) -> None:
        """A piece at a time, so that no ban waits for it; nothing wakes up while nothing is tracked."""
        while True:
            await self._counting.wait()
            self._counting.clear()
            due: float | None = self._clock() + SWEEP_SECONDS
            while due is not None:
                await asyncio.sleep(max(0.0, due - self._clock()))
                due = self.engine.sweep(self._clock())
            give_back()

    async def _feed_watchdog(self) -> None:
        while self._notifier.watchdog is not None:
            self._notifier.alive()
            await asyncio.sleep(self._notifier.watchdog / 3)

    # What the commands need (commands.House)

    @property
    def engine(self) -> Engine:
        """What decides, with the book."""
        return self._keeper.engine

    def submit(self, changes: Sequence[Change]) -> None:
        """Have changes of the book brought to the kernel soon."""
        self._keeper.enact(changes)

    async def carry_out(self, changes: Sequence[Change]) -> None:
        """Bring changes of the book to the kernel, and return when it has them; FirewallError if it refuses one."""
        if off := frozenset(key_of(change)[0] for change in changes) & self.engine.jails.keys() - self._jails.on:
            async with self._changing:
                await self._switch_on(off)
        await self._keeper.carry_out(changes)

    def view(self, jail: str) -> JailView:
        """State, open files and problems of a jail."""
        return self._jails.view(jail, [text for (name, _), text in self._reporter.failed.items() if name == jail])

    def problems(self) -> list[str]:
        """What is wrong with the daemon as a whole."""
        broken = [f"jail {name} is left out: its configuration has problems" for name in self.engine.config.broken]
        store = [] if self._scribe.fault is None else [self._scribe.fault]
        faults = [*self._faults, *store, *self._doors.faults]
        return [*broken, *faults, *self._sources.problems(), *self._reconciler.problems()]

    def in_force(self, ban: Ban) -> bool:
        """Whether the kernel has acknowledged `ban`; on a login, whether a service is told of it."""
        if ban.target.realm == "login":
            return ban.enforce and bool(self._doors.open)
        return self._reporter.in_force(ban)

    def doors(self) -> Sequence[str]:
        """By which doors services are told of banned logins."""
        return self._doors.open

    async def dropped(self) -> Mapping[str, Mapping[str, int]]:
        """Packets dropped by jail and address, as far as the firewall counts them."""
        return await self._firewall.dropped()

    async def held(self, ban: Ban) -> Held | None:
        """What the kernel has of `ban`; None if it has it not."""
        if not concerns_kernel(ban):
            return None
        who, family = ban.target.who, family_of(ban.target.who)
        for holding in await self._firewall.holdings():
            if ban.jail in holding.jails and holding.family == family:
                left = (await self._firewall.members(holding.name)).left
                if who in left:
                    return Held(left[who], (await self._firewall.dropped()).get(ban.jail, {}).get(who, 0))
        return None

    def where(self, jail: str) -> tuple[Where, ...]:
        """The logs that a jail watches, as far as they have been read."""
        return self._ledger.where(jail)

    async def history(self, who: Sequence[tuple[str, str]] | None, since: float, most: int) -> Sequence[Event]:
        """What the store remembers; what has just happened included."""
        await self._scribe.flush()
        return await self._store.history(who, since, most)

    async def reload(self) -> Mapping[str, Any]:
        """
        Read the configuration anew, and use all of it or nothing.

        Raises:
            ControlError: why not, with every problem; the running configuration was kept.
        """
        async with self._changing:
            self._notifier.reloading()
            try:
                return await self._reload()
            finally:
                self._notifier.ready(self._status_line())

    async def _reload(self) -> Mapping[str, Any]:
        running = self.engine.config
        config = await asyncio.to_thread(load_config, self._options.directory, older=running)
        wrong = [problem for problem in config.problems if not problem.warning]
        if wrong or config.unusable:
            self._tell(wrong)
            reason = count_problems(wrong) if wrong else str(config.unusable)
            raise self._refuse(ControlError(f"{reason}; the running configuration was kept", "", EXIT_CONFIG, wrong))
        scanners = await asyncio.to_thread(compile_scanners, config, *self.engine.lanes.known())
        try:
            config = await self._jails.change(config)
        except FirewallError as error:
            raise self._refuse(ControlError(f"the firewall refused: {error.message}", error.hint, error.code)) from error
        engine = self._go_over(Engine(config, older=self.engine, scanners=scanners))
        now = self._clock()
        self._keeper.enact(
            [*self._ledger.unpark(), *engine.drop_jails(now), *engine.drop_ignored(now), *engine.follow_enforce(now)]
        )
        await self._switch_on_behind_doors()
        await self._reconciler.compare()
        self._doors.look_anew()
        self._configure_log(config)
        self._tell([*config.problems, *warn_unserved_ports(config)])
        for part in ("control", "metrics", "firewall", "store", "doors"):
            if getattr(config.daemon, part) != getattr(running.daemon, part):
                self._log.warning(f"{part} was changed in banwatch.yaml; it takes effect at the next start")
        self._metrics.reloaded(True)
        self._log.info("reloaded", jails=len(config.jails))
        return {"jails": sorted(config.jails), "problems": [render_problem(problem) for problem in config.problems]}

    def _refuse(self, error: ControlError) -> ControlError:
        self._metrics.reloaded(False)
        self._log.error("reload refused", error=error.message)
        return error

    async def _reload_by_signal(self) -> None:
        with suppress(ControlError):  # it was told in the log, where whoever sends a signal looks
            await self.reload()

    # Opening, and telling about it

    def _make_server(self, config: Config) -> Server:
        """The server whose answers wait until there is something to tell."""

        def when_ready(name: str, handler: Handler) -> Handler:
            async def answer(params: Mapping[str, Any], peer: Peer) -> Any:
                await self._ready.wait()
                result = await handler(params, peer)
                if name in LASTING:  # once for all of a command, however many it is about
                    await self._doors.settle()
                    await self._scribe.flush()
                return result

            return answer

        control = config.daemon.control
        rooms = (Commands(self, self._clock), Inquiry(self, self._clock), Transfer(self, self._clock))
        handlers = {name: when_ready(name, handler) for room in rooms for name, handler in room.handlers().items()}
        return Server(self._options.socket or control.socket, control.group, control.ask, handlers, self._log)

    def _make_store(self, config: Config) -> Store:
        spec, state = config.daemon.store, self._options.state
        file = "none" if state is None and self._options.dry_run else state or spec.file or "none"
        if file == "none":
            return NullStore()
        return FileStore(Path(file), read_back, Bounds(inf if spec.history is None else spec.history), self._clock)

    async def _open_metrics(self, config: Config, stack: AsyncExitStack) -> None:
        spec = config.daemon.metrics
        self._metrics.watch(self._read_rooms, self._is_degraded)
        if not spec.port:
            return
        try:
            await stack.enter_async_context(MetricsServer(spec.host, spec.port, self._metrics, self._log))
        except OSError as error:
            fault = f"metrics are not served on {spec.host}:{spec.port}: {error.strerror}"
            self._faults.append(fault)
            self._log.error(fault)

    async def _watch_addresses(self, stack: AsyncExitStack) -> HostAddresses:
        """
        The host's addresses of now. Where nobody can be banned it goes without them.

        Raises:
            FirewallError: they cannot be read; so it would not be known whom to spare.
        """
        try:
            return (await stack.enter_async_context(AddressWatch(self._surround))).current
        except OSError as error:
            refused = refusal("the addresses of this host cannot be read", error)
            if self._firewall.name != "null":
                raise refused from error
            self._log.warning(refused.message, hint=refused.hint or None)
            return UNKNOWN

    def _surround(self, own: frozenset[str], onlink: frozenset[str]) -> None:
        self.engine.surround(Surroundings(own, onlink))
        self._keeper.enact(self.engine.drop_ignored(self._clock()))

    def _step_clock(self, seconds: float) -> None:
        self._log.warning("the clock was set; bans keep the time they have left", seconds=round(seconds, 3))
        self.engine.step_clock(seconds)
        self._scribe.everything_changed()
        self._reporter.follow(self.engine.book)

    def _read_rooms(self) -> Iterable[Reading]:
        return chain(
            read_sources(self._sources.sources().values()),
            read_engine(self.engine),
            read_edges(self._enforcer, self._server, self._output),
            read_doors(self._doors),
            read_reconciler(self._reconciler, self._mender, self._reporter, self.engine.book),
            read_store(self._scribe),
        )

    def _is_degraded(self) -> bool:
        return bool(self.problems()) or any(self.view(jail).state == "degraded" for jail in self.engine.jails)

    def _configure_log(self, config: Config) -> None:
        try:
            self._output.configure(config.daemon.log)
        except OSError as error:
            self._log.error("log cannot be written there", to=config.daemon.log.to, error=error.strerror)

    def _tell(self, problems: Sequence[Problem]) -> None:
        for problem in problems:
            (self._log.warning if problem.warning else self._log.error)(render_problem(problem))

    def _say_ready(self) -> None:
        what = "protecting this host" if not self._options.dry_run else "dry run: deciding and telling only"
        notes = "; ".join(self._firewall.notes) or None
        self._log.info(what, jails=", ".join(sorted(self._jails.on)), firewall=self._firewall.name, notes=notes)
        self._notifier.ready(self._status_line())

    def _status_line(self) -> str:
        return f"{len(self._jails.on)} jails, {len(self.engine.book)} bans"
