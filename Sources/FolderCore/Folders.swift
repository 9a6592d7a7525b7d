package import TransferCommon

/// The machine of the agent service: it watches folders, has stable files sent, proves them, and has them deleted or
/// moved. It has no files, sockets, journal or clocks.
///
/// The shell passes each event with its time to `handle`, takes the actions from `takeActions()`, performs them in
/// order, and only then passes the next event.
///
/// Invariants
/// - An item is proven only if the journal has its proof, of the store in use. A file is deleted or moved only by a
///   `Removal`, which begins with a proven item; or by a `Shedding`, if the user allows the loss.
/// - Before an object is replaced, the withdrawal of every proof of its key is durable.
/// - No event takes time proportional to the number of items.
package struct Folders: Hashable, Sendable {
    private(set) var context: FolderContext

    /// - Parameters:
    ///   - folders: the settings of the folders. Their positions are their ids.
    ///   - served: the service time that the journal has. If the computer has not been restarted since, also the time
    ///     that has passed since the journal was written.
    package init(
        _ folders: [FolderRules], limits: FolderLimits = FolderLimits(),
        generator: any RandomNumberGenerator & Hashable & Sendable, served: ServiceTime = .zero, now: FolderTime
    ) {
        self.context = FolderContext(
            folders, limits, generator: FolderGenerator(generator), served: served, now: now)
    }

    /// The actions to perform, in order. The shell takes them after every event.
    package mutating func takeActions() -> [FolderAction] {
        defer { context.actions = [] }
        return context.actions
    }

    /// Handles one event. Its time is never earlier than that of the event before.
    package mutating func handle(_ event: FolderEvent, now: FolderTime) {
        context.advance(to: now)
        apply(event)
        proceed()
    }

    /// Marks the files that are under way now. `isFlushed` tells when all of them have come to an end.
    package mutating func beginFlush() -> FlushMark { context.items.markFlush() }

    private mutating func apply(_ event: FolderEvent) {
        switch event {
        case .restored(let records, let isSameBoot): restore(records, isSameBoot: isSameBoot)
        case .started: start()
        case .noticed(let folder, let path, let notice): Discovery.noticed(folder, path, notice, &context)
        case .watching(let folder, let isWatched): Discovery.watching(folder, isWatched, &context)
        case .scanned(let request, let entries): Discovery.scanned(request, entries, &context)
        case .scanEnded(let request, let failure): Discovery.scanEnded(request, failure: failure, &context)
        case .looked(let request, let result): looked(request, result)
        case .space(let folder, let freeBytes): space(folder, freeBytes)
        case .sent(let request, let outcome):
            guard case .sending(let id) = context.take(request) else { return }
            Sender.sent(id, request, outcome, &context)
        case .storeKnown(let store): context.store = store
        case .link(let isUp): context.gate.link(isUp: isUp)
        case .rate(let decision): context.rate = decision
        case .metered(let minPriority): context.meteredPriority = minPriority
        case .stepped(let request, let answer):
            guard case .step(let id) = context.take(request) else { return }
            Remover.stepped(id, request, answer, &context)
        case .proved(let request, let answer):
            guard case .proving(let id) = context.take(request) else { return }
            Remover.proved(id, request, answer, &context)
        case .journalCommitted(let number):
            for id in context.journal.committed(number) { Sender.committed(id, number, &context) }
        case .journalFailed(let number, let failure):
            context.journal.failed(number, failure, now: context.now)
            // The records of a removal are small, and make room for more.
            if failure == .full, context.removing > 0 { context.actions.append(.freeReserve) }
        case .recalled(let request, let wasRemoved):
            guard case .recall(let id) = context.take(request) else { return }
            KeyClaims.recalled(id, request, wasRemoved: wasRemoved, &context)
        case .stateSize(let bytes): context.isStateFull = context.limits.stateBytesMax.map { bytes >= $0 } ?? false
        case .paused(let folder, let isPaused): context.withFolder(folder) { $0.isPaused = isPaused }
        case .rescan(let folder):
            let now = context.now
            context.withFolder(folder) { $0.scan.hurry(now: now) }
        case .retry(let id): retry(id)
        case .tick: break
        }
    }

    private mutating func proceed() {
        Discovery.beginScans(&context)
        KeyClaims.proceed(&context)
        Settlement.proceed(&context)
        Sender.proceed(&context)
        Remover.proceed(&context)
        // Items that were given a key just now may have given up another one.
        KeyClaims.proceed(&context)
        let isCheckpointDue = checkpointAt.map { $0 <= context.now } ?? false
        if let next = context.journal.begin(now: context.now, isCheckpoint: isCheckpointDue) {
            context.writtenAt = context.now
            context.actions.append(.journal(next.number, next.changes, context.served))
        }
    }

    /// When the service time is written although nothing else is; `nil` if no item's grace counts in it.
    private var checkpointAt: Instant? {
        let isCounting = context.folders.contains { $0.rules.grace != nil && $0.proven.firstRank != nil }
        return isCounting ? context.writtenAt + FolderContext.checkpointInterval : nil
    }

    // MARK: Events

    private mutating func restore(_ records: [ItemRecord], isSameBoot: Bool) {
        guard !context.hasStarted else { return }
        for var record in records {
            let phase: ItemPhase =
                switch record.course {
                case .quarantined(let reason): .quarantined(.recorded(reason))
                case .usual, .removing: .missing
                }
            if !isSameBoot {
                record.stamp.device = 0
                if case .held(var proof, let since) = record.stored {
                    proof.stampCounts = false
                    proof.stamp.device = 0
                    record.stored = .held(proof, since: since)
                }
            }
            // A file that was changed after its proof differs from this stamp, so the first scan lets it settle.
            if let proof = record.stored.proof, phase == .missing { record.stamp = proof.stamp }
            guard let place = context.items.restore(record, phase: phase) else { continue }
            _ = context.items.claim(record.key, for: place)
            let priority = context.rules(of: record.folder)?.priority(of: record.path) ?? 0
            context.items.update(place) { $0.priority = priority }
            switch (record.course, record.stored) {
            // A proof that was withdrawn since then proves nothing, but the file still needs its name back.
            case (.removing(let aside), .held), (.removing(let aside), .withdrawn):
                Remover.recover(place, aside: aside, &context)
            case (.usual, .held): context.makeProven(place)
            case (.usual, _), (.removing, .none), (.quarantined, _): break
            }
        }
    }

    private mutating func start() {
        context.items.finishRestoring()
        context.hasStarted = true
    }

    private mutating func looked(_ request: RequestID, _ result: LookResult) {
        guard let question = context.take(request) else { return }
        context.looking -= 1
        switch question {
        case .item(let id): Settlement.looked(id, request, result, &context)
        case .confirmation(let id): Sender.confirmed(id, request, result, &context)
        case .notice(let folder, let path, let notice):
            Discovery.noticeLooked(folder, path, notice, result, &context)
        case .rename(let id, let path, let isAnnounced):
            Discovery.renameLooked(id, path, isAnnounced: isAnnounced, result, &context)
        case .scan, .sending, .recall, .step, .proving: break  // Their answers are other events.
        }
    }

    private mutating func space(_ folder: FolderID, _ freeBytes: UInt64) {
        var change: FolderReport?
        context.withFolder(folder) {
            if $0.space.reported(freeBytes: freeBytes) {
                change = $0.space.state == .low ? .spaceLow(folder) : .spaceEnough(folder)
            }
            $0.mayDeleteEarly = $0.space.state == .low
        }
        if let change { context.actions.append(.report(change)) }
    }

    private mutating func retry(_ id: ItemID) {
        guard let item = context.items[id] else { return }
        switch item.phase {
        case .waiting, .quarantined, .taken:
            context.items.update(id.place) { $0.failures = 0 }
            if item.key != nil { context.settle(id.place, after: .zero) }
            context.put(id.place)
        default: break
        }
    }
}

// MARK: - Read-outs

extension Folders {
    /// When `tick` next has something to do; `nil` if only another event can change anything.
    package var nextDeadline: Instant? {
        guard context.hasStarted else { return nil }
        var moments: [Instant?] = [context.gate.nextDeadline, context.journal.nextDeadline]
        if context.journal.state == .idle { moments.append(checkpointAt) }
        // If all looks are under way, the answer to one of them makes room for the next.
        if context.looking < context.limits.lookingMax { moments.append(context.wakes.nextDeadline) }
        for folder in context.folders {
            if context.journal.isWorking { moments.append(folder.scan.nextDeadline) }
            guard folder.rules.grace != nil, let due = folder.proven.firstRank else { continue }
            let served = context.served.wholeNanoseconds
            // A removal that is due and has not begun waits for another event.
            if due > served { moments.append(context.now + .nanoseconds(Int64(clamping: due - served))) }
        }
        return moments.compactMap { $0 }.min().map { max($0, context.now) }
    }

    /// The number of items.
    package var itemCount: Int { context.items.count }

    /// The number of a folder's items in a state.
    package func count(of folder: FolderID, in state: ItemState) -> Int { context.items.count(of: folder, in: state) }

    /// Why the last scan of a folder was not complete; `nil` if it was.
    package func scanFailure(of folder: FolderID) -> String? {
        folder.number < context.folders.count ? context.folders[Int(folder.number)].scan.failure : nil
    }

    /// The item of this id; `nil` if it has left.
    package func item(_ id: ItemID) -> Item? { context.items[id] }

    /// The item of a file.
    package func item(of folder: FolderID, inode: UInt64) -> ItemID? {
        context.items.place(of: folder, inode: inode).flatMap(context.items.id(of:))
    }

    /// The one state and the one reason of an item, for people; `nil` if it has left.
    package func standing(of id: ItemID) -> ItemStanding? {
        context.items[id].map { ItemStanding($0, context) }
    }

    /// Why no file is sent now; `nil` if files may be sent.
    package var sendingPause: String? { Sender.pause(context) }
}
