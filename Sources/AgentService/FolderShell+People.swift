import AgentKit
import FolderCore
import Logging
import NIOPosix
import SystemSupport
import TransferCommon
import TransferCore

// What people ask of the shell, and what it tells them.

/// What has happened to the files of a folder since the shell began.
struct FolderFigures: Sendable {
    var proven = 0
    var removed = 0
    var lastProven: String?
}

/// A call that waits until the files that were pending when it began are proven or stopped.
struct FlushWait {
    /// Tells the calls apart.
    final class ID: Sendable, Equatable {
        static func == (left: ID, right: ID) -> Bool { left === right }
    }

    let id: ID
    let mark: FlushMark
    let done: CheckedContinuation<Void, Never>
}

extension FolderShell {
    /// How many troubles of a folder a status lists.
    private static let troublesMax = 100

    /// Restores the items of the journal, and begins.
    func start(_ orders: OrderRuns, paused: Set<String>, _ decision: RateSchedule.Decision) async throws {
        self.orders = orders
        let batches = try await threads.runIfActive { [journal] in
            var batches: [([ItemRecord], Bool)] = []
            try journal.restore { batches.append(($0, $1)) }
            return batches
        }
        for (records, isSameBoot) in batches { handle(.restored(records, isSameBoot: isSameBoot)) }
        for folder in folders where paused.contains(folder.settings.name) {
            pausedFolders.insert(folder.settings.name)
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
        status.schedule = schedule.reason
        status.bytesPerSecond = schedule.rate
        status.pause = machine.sendingPause ?? waitingReason
        let summaries = machine.summaries(troublesMax: Self.troublesMax)
        for (index, (folder, summary)) in zip(folders, summaries).enumerated() {
            var row = ServiceStatus.Folder(name: folder.settings.name, path: folder.settings.path)
            row.state = summary.activity.rawValue
            row.reason = summary.reason
            row.pending = summary.pendingCount
            row.pendingBytes = summary.pendingBytes
            row.oldestSeconds = summary.oldestAge.map { Int(clamping: $0.components.seconds) }
            row.sending = sending(in: folder)
            row.troubles = summary.troubles.compactMap { trouble($0, in: folder) }
            row.troubleCount = summary.troubleCount
            row.proven = summary.provenCount
            row.provenSinceStart = figures[index].proven
            row.removedSinceStart = figures[index].removed
            row.lastProven = figures[index].lastProven
            row.freeBytes = summary.freeBytes
            status.folders.append(row)
        }
    }

    private func sending(in folder: WatchedFolder) -> [ServiceStatus.Sending] {
        sends.values.filter { $0.order.folder == folder.id }.map { send in
            ServiceStatus.Sending(
                id: text(send.order.item, folder), key: send.order.key.text, path: send.order.path.text,
                bytes: send.progress?.size ?? send.reading.opened?.reading.stamp.size ?? 0,
                storedBytes: send.progress?.storedBytes ?? 0, sentBytes: send.progress?.bytesSent ?? 0)
        }.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
    }

    private func trouble(_ id: ItemID, in folder: WatchedFolder) -> ServiceStatus.Trouble? {
        guard let item = machine.item(id), let standing = machine.standing(of: id) else { return nil }
        return ServiceStatus.Trouble(
            id: text(id, folder), path: item.path.text, state: item.phase.state.rawValue, reason: standing.reason)
    }

    private func text(_ id: ItemID, _ folder: WatchedFolder) -> String {
        "\(folder.settings.name):\(id.place).\(id.generation)"
    }

    func setPaused(_ name: String?, _ isPaused: Bool) async throws(ControlRefusal) {
        for folder in try named(name) {
            let name = folder.settings.name
            do {
                try await threads.runIfActive { [journal] in try journal.setPaused(name, isPaused) }
            } catch {
                throw ControlRefusal("the agent's state cannot be written (\(error)); nothing was changed")
            }
            if isPaused { pausedFolders.insert(name) } else { pausedFolders.remove(name) }
            handle(.paused(folder.id, isPaused))
        }
    }

    func rescan(_ name: String?) throws(ControlRefusal) {
        for folder in try named(name) { handle(.rescan(folder.id)) }
    }

    /// - Returns: how many items are tried.
    func retry(_ ids: [String]) throws(ControlRefusal) -> Int {
        var items: [ItemID] = []
        if ids.isEmpty {
            items = machine.summaries(troublesMax: .max).flatMap(\.troubles)
        } else {
            for id in ids { items.append(try item(named: id)) }
        }
        for item in items { handle(.retry(item)) }
        return items.count
    }

    private func item(named text: String) throws(ControlRefusal) -> ItemID {
        let bytes = Array(text.utf8)
        guard let colon = bytes.lastIndex(of: UInt8(ascii: ":")), let stop = bytes.lastIndex(of: UInt8(ascii: ".")),
            colon < stop, let place = UInt32(String(decoding: bytes[(colon + 1)..<stop], as: UTF8.self)),
            let generation = UInt32(String(decoding: bytes[(stop + 1)...], as: UTF8.self)),
            case let id = ItemID(place: place, generation: generation), let item = machine.item(id),
            folders.contains(where: { $0.id == item.folder && $0.settings.name.utf8.elementsEqual(bytes[..<colon]) })
        else {
            throw ControlRefusal("no file has the id \(text.withVisibleControls); sluice-agent status lists the ids")
        }
        return id
    }

    /// - Returns: how many files cannot be proven before a person does something.
    func flush() async throws(ControlRefusal) -> Int {
        let mark = machine.beginFlush()
        if !machine.isFlushed(mark) {
            let id = FlushWait.ID()
            await withTaskCancellationHandler {
                await withCheckedContinuation { done in
                    guard !isStopped, !Task.isCancelled else { return done.resume() }
                    flushes.append(FlushWait(id: id, mark: mark, done: done))
                }
            } onCancel: {
                Task { await self.leave(id) }
            }
            // A caller that was not waited for must not take the files for proven.
            guard machine.isFlushed(mark) else {
                throw ControlRefusal(
                    "the service has ended, or has read its settings again, before every pending file was proven")
            }
        }
        return machine.stoppedCount
    }

    private func named(_ name: String?) throws(ControlRefusal) -> [WatchedFolder] {
        guard let name else { return folders }
        guard let folder = folders.first(where: { $0.settings.name.hasSameBytes(as: name) }) else {
            let known = folders.map(\.settings.name).joined(separator: ", ")
            throw ControlRefusal("there is no folder \(name.withVisibleControls); the settings name \(known)")
        }
        return [folder]
    }

    // MARK: Reports of the machine

    func report(_ report: FolderReport) {
        switch report {
        case .proven(let id, let path):
            guard let folder = machine.item(id)?.folder else { return }
            change(folder) { figures in
                figures.proven += 1
                figures.lastProven = path.text
            }
            logger.info("Proven", metadata: ["path": "\(path)"])
        case .removed(_, let folder, let path):
            change(folder) { $0.removed += 1 }
            let isMoved = folders.first { $0.id == folder }?.settings.after == .move
            logger.info(isMoved ? "Moved" : "Deleted", metadata: ["path": "\(path)"])
        case .removalRefused(_, let path, let refusal):
            logger.info("A proven file stays: \(refusal.words)", metadata: ["path": "\(path)"])
        case .renamedBack(_, let from, let to):
            logger.warning(
                "A file was put back under another name, because a new file has its own",
                metadata: ["path": "\(from)", "new.path": "\(to)"])
        case .quarantined(_, let path, let trouble):
            logger.warning("Quarantined: \(trouble.words)", metadata: ["path": "\(path)"])
        case .keyTaken(_, let path, let conflict):
            logger.warning("The key is taken: \(conflict.words)", metadata: ["path": "\(path)"])
        case .shed(_, let path, let size):
            logger.warning(
                "An unproven file was deleted, because the disk is full",
                metadata: ["path": "\(path)", "bytes": "\(size)"])
        case .gateClosed(let cause): logger.warning("Nothing is sent now: \(cause.words)")
        case .spaceLow(let folder): logger.warning("The disk is nearly full", metadata: ["folder": "\(text(folder))"])
        case .spaceEnough(let folder):
            logger.notice("The disk has enough space again", metadata: ["folder": "\(text(folder))"])
        }
    }

    private func change(_ folder: FolderID, _ body: (inout FolderFigures) -> Void) {
        guard folder.number < figures.count else { return }
        body(&figures[Int(folder.number)])
    }

    private func text(_ folder: FolderID) -> String {
        folder.number < folders.count ? folders[Int(folder.number)].settings.name : ""
    }
}
