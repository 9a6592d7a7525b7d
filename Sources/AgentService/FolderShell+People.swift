import AgentKit
import FolderCore
import Logging
import NIOPosix
import SystemSupport
import TransferCommon
import TransferCore

// What people ask of the shell, and what it tells them.

extension FolderShell {
    /// Restores the items of the journal, and begins.
    func start(_ orders: OrderRuns, paused: Set<String>, _ decision: RateSchedule.Decision) async throws {
        self.orders = orders
        let batches = try await threads.journal.runIfActive { [journal] in
            var batches: [([ItemRecord], Bool)] = []
            try journal.restore { batches.append(($0, $1)) }
            return batches
        }
        for (records, isSameBoot) in batches { handle(.restored(records, isSameBoot: isSameBoot)) }
        for folder in folders where paused.contains(folder.settings.name) {
            handle(.paused(folder.id, true))
        }
        apply(decision)
        handle(.started)
    }

    func apply(_ decision: RateSchedule.Decision) {
        schedule = decision
        handle(.rate(decision))
    }

    // MARK: Questions and commands

    func describe(_ status: inout ServiceStatus) {
        // Ages count until now, also if nothing has happened for a while.
        handle(.tick)
        status.schedule = schedule.reason
        status.bytesPerSecond = schedule.rate
        status.pause = waitingReason ?? machine.sendingPause
        let summaries = machine.summaries(troublesMax: ServiceStatus.Folder.troublesMax)
        status.folders = zip(folders, summaries).map { folder, summary in
            let own = sends.values.filter { $0.order.folder == folder.id }
            var row = ServiceStatus.Folder(folder, summary, figures[folder], sending: own, machine)
            if !own.isEmpty, let waitingReason {
                // The uploads have begun, and wait for the gateway.
                (row.state, row.reason) = (FolderSummary.Activity.waiting.rawValue, waitingReason)
            }
            return row
        }
    }

    func setPaused(_ name: String?, _ isPaused: Bool) async throws(ControlRefusal) {
        try expectRunning()
        for folder in try folders.named(name) {
            let name = folder.settings.name
            do {
                try await threads.journal.runIfActive { [journal] in try journal.setPaused(name, isPaused) }
            } catch {
                throw ControlRefusal("the agent's state cannot be written (\(error)); nothing was changed")
            }
            handle(.paused(folder.id, isPaused))
        }
    }

    /// A shell that a reload has ended takes no command, because its successor would not know of it.
    private func expectRunning() throws(ControlRefusal) {
        guard !isStopped else { throw ControlRefusal.ended }
    }

    func rescanAll() {
        for folder in folders { handle(.rescan(folder.id)) }
    }

    func rescan(_ name: String?) throws(ControlRefusal) {
        try expectRunning()
        for folder in try folders.named(name) { handle(.rescan(folder.id)) }
    }

    /// - Returns: how many items are tried.
    func retry(_ ids: [String]) throws(ControlRefusal) -> Int {
        try expectRunning()
        var items: [ItemID] = []
        if ids.isEmpty {
            items = machine.summaries(troublesMax: .max).flatMap(\.troubles)
        } else {
            for id in ids { items.append(try folders.item(named: id, machine)) }
        }
        for item in items { handle(.retry(item)) }
        return items.count
    }

    /// - Returns: how many files cannot be proven before a person does something.
    func flush() async throws(ControlRefusal) -> Int {
        // Files that were written a moment ago count, too, although no scan may have found them yet.
        let targets = scans.next
        rescanAll()
        await scans.waitUntilEnded(targets)
        for folder in folders where !isStopped {
            guard let failure = machine.scanFailure(of: folder.id) else { continue }
            throw ControlRefusal(
                "the folder \(folder.settings.name) may have files that are not known, because it cannot be scanned: "
                    + failure)
        }
        let mark = machine.beginFlush()
        if !isStopped, !machine.isFlushed(mark) {
            let id = FlushWaits.ID()
            await withTaskCancellationHandler {
                await withCheckedContinuation { done in
                    guard !isStopped, !Task.isCancelled else { return done.resume() }
                    flushes.add(id, mark, done)
                }
            } onCancel: {
                Task { await self.leave(id) }
            }
        }
        // A stopped shell does not know the files that its last scans would have found. A caller that was not waited
        // for must not take the files for proven.
        guard !isStopped, machine.isFlushed(mark) else {
            throw ControlRefusal(
                "the service has ended, or has read its settings again, before every pending file was proven")
        }
        return machine.stoppedCount
    }
}
