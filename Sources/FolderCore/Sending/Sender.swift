import TransferCommon

/// Which item is sent next, and what its outcome leads to.
enum Sender {
    /// Why no item is sent now, for people; `nil` if items may be sent.
    static func pause(_ context: FolderContext) -> String? {
        if case .failing(_, _, let failure) = context.journal.state { return failure.words }
        if context.isStateFull { return "the agent's state has reached its limit" }
        if context.rate.rate == 0 { return context.rate.reason }
        return context.gate.reason
    }

    static func proceed(_ context: inout FolderContext) {
        context.gate.tick(now: context.now)
        guard context.hasStarted, context.journal.isWorking, !context.isStateFull, context.rate.rate != 0 else {
            return
        }
        while context.sending < context.gate.sendingMax(context.limits.sendingMax), let place = next(&context) {
            begin(place, &context)
        }
    }

    /// Why an item of this priority is not sent now although others are, for people; `nil` if it may be sent.
    static func pause(priority: UInt8, _ context: FolderContext) -> String? {
        guard let least = context.meteredPriority, priority < least else { return nil }
        return "the network is metered, and only files of priority \(least) or more are sent"
    }

    /// Takes the next item. A closed gate is tried with another file than the one that closed it, if there is one: the
    /// failure may be that file's own, and would keep all others from being sent.
    private static func next(_ context: inout FolderContext) -> UInt32? {
        guard case .trying = context.gate.state, let id = context.suspect?.item,
            let folder = (context.items[id]?.folder).map({ Int($0.number) }), folder < context.folders.count,
            let turn = context.folders[folder].sending.first(context.items), turn.place == id.place
        else { return first(&context) }
        _ = context.folders[folder].sending.popFirst()
        let other = first(&context)
        context.folders[folder].sending.push(turn, context.items)
        return other ?? first(&context)
    }

    /// Takes the first item: the one with the least rank of all folders that are not paused. An item may not be sent
    /// because of its priority only if this is so for all items behind it, too.
    private static func first(_ context: inout FolderContext) -> UInt32? {
        var best: (folder: Int, turn: Turn)?
        // The search begins behind the folder that was served last, so that no folder starves another one.
        let count = context.folders.count
        for step in 0..<count {
            let index = (context.servedFolder + 1 + step) % count
            guard !context.folders[index].isPaused else { continue }
            guard let turn = context.folders[index].sending.first(context.items) else { continue }
            // Orders of different folders cannot be compared, only priorities.
            if let other = best, other.turn.priority >= turn.priority { continue }
            guard pause(priority: turn.priority, context) == nil else { continue }
            best = (index, turn)
        }
        guard let best else { return nil }
        _ = context.folders[best.folder].sending.popFirst()
        context.servedFolder = best.folder
        return best.turn.place
    }

    private static func begin(_ place: UInt32, _ context: inout FolderContext) {
        guard let item = context.items[place], case .ready(let wish) = item.phase, let id = context.items.id(of: place),
            let key = item.key, item.ownsKey
        else { return }
        let condition: SendOrder.Condition
        switch (wish, item.stored) {
        case (.continuing, .held):
            context.items.update(place) { $0.stored = item.stored.withdrawn }
            let number = context.put(place, awaited: true)
            return context.items.set(place, .claiming(number, .continuing))
        case (.continuing, .withdrawn(let proof)): condition = .matches(proof.session)
        case (.ifAbsent, _), (.continuing, .none): condition = .absent
        case (.replacing, _): condition = .any
        }
        let request = context.request(.sending(id))
        context.items.set(place, .sending(request, wish))
        context.items.update(place) { $0.hasBeenSent = true }
        context.sending += 1
        let order = SendOrder(
            item: id, folder: item.folder, path: item.path, inode: item.stamp.inode, key: key, condition: condition)
        context.actions.append(.send(request, order))
    }

    // MARK: Outcomes

    static func sent(_ id: ItemID, _ request: RequestID, _ outcome: SendOutcome, _ context: inout FolderContext) {
        context.sending -= 1
        // It fails again, and others do not: the store does not take this file now.
        let failsAlone = context.suspect == GateSuspect(item: id, othersWork: true)
        if case .failed(.failing(let reason)) = outcome, failsAlone {
            context.suspect = nil
            guard case .sending(request, _) = context.items[id]?.phase else { return }
            return context.postpone(id.place, .refused(reason))
        }
        if case .failed(let cause) = outcome {
            close(id, cause, &context)
        } else {
            if case .stored = outcome, !context.gate.isClosed, context.suspect?.item != id {
                context.suspect?.othersWork = true
            }
            context.gate.worked()
        }
        guard let item = context.items[id], case .sending(request, let wish) = item.phase else { return }
        let place = id.place
        switch outcome {
        case .stored(let reading): stored(place, item, reading, &context)
        case .changed: context.fail(place, .changesWhileRead)
        case .missing: context.rest(place, .missing)
        case .keyTaken: KeyClaims.resolve(place, .otherObject, &context)
        case .unreadable(let reason): context.fail(place, .unreadable(reason))
        case .refused(let reason): context.fail(place, .refused(reason))
        case .failed: context.makeReady(place, wish)
        }
    }

    private static func close(_ id: ItemID, _ cause: GateCause, _ context: inout FolderContext) {
        let wasOpen = context.gate.reason == nil
        if !context.gate.isClosed { context.suspect = GateSuspect(item: id) }
        context.gate.failed(cause, policy: context.limits.retry, now: context.now, using: &context.generator)
        if wasOpen || cause == .unauthorised { context.actions.append(.report(.gateClosed(cause))) }
    }

    private static func stored(
        _ place: UInt32, _ item: Item, _ reading: StoredReading, _ context: inout FolderContext
    ) {
        // Both are ObjectKey.
        guard let id = context.items.id(of: place), reading.proof.key == item.key,
            reading.proof.stamp.inode == item.stamp.inode
        else { return context.rest(place, .missing) }
        let before = reading.proof.stamp
        switch Capture.read(before: before, after: reading.after, reading.fileSystem, systemTime: reading.systemTime) {
        case .changed: unproven(place, reading.proof, reading.after, &context)
        case .stampCounts:
            var proof = reading.proof
            proof.stampCounts = true
            record(place, proof, &context)
        case .compareContent:
            let request = context.request(.confirmation(id))
            context.items.set(place, .confirming(request, reading.proof))
            context.looking += 1
            let prefix = LookWants.Prefix(byteCount: before.size, partBytes: reading.proof.partBytes)
            context.actions.append(.look(request, item.folder, item.path, LookWants(prefix: prefix)))
        }
    }

    /// The content was read again after it was sent.
    static func confirmed(_ id: ItemID, _ request: RequestID, _ result: LookResult, _ context: inout FolderContext) {
        guard let item = context.items[id], case .confirming(request, var proof) = item.phase else { return }
        switch result {
        case .found(let look) where look.stamp.inode == proof.stamp.inode:
            guard look.stamp.size == proof.stamp.size, look.prefixRoot == proof.root, look.lease != .refused else {
                return unproven(id.place, proof, look.stamp, &context)
            }
            proof.stamp = look.stamp
            proof.stampCounts = Capture.counts(look.stamp, look.fileSystem, systemTime: look.systemTime)
            record(id.place, proof, &context)
        case .found, .missing: context.rest(id.place, .missing)
        case .changing(let stamp): unproven(id.place, proof, stamp, &context)
        case .unreadable(let reason): context.fail(id.place, .unreadable(reason))
        }
    }

    /// The object has what was read, but the file is another version by now. The object is known as the item's own.
    private static func unproven(
        _ place: UInt32, _ proof: ItemProof, _ stamp: FileStamp, _ context: inout FolderContext
    ) {
        context.items.update(place) {
            $0.stored = .withdrawn(proof)
            if stamp.inode == $0.stamp.inode { $0.stamp = stamp }
        }
        context.put(place)
        context.settleAnew(place)
    }

    /// Gives the proof to the journal. The item is proven when it is durable.
    private static func record(_ place: UInt32, _ proof: ItemProof, _ context: inout FolderContext) {
        let since = context.served
        let number = context.put(place, awaited: true) { record in
            record.stored = .held(proof, since: since)
            record.stamp = proof.stamp
        }
        context.items.set(place, .recording(number, proof))
    }

    /// The journal has what the item waits for.
    static func committed(_ id: ItemID, _ number: TransactionNumber, _ context: inout FolderContext) {
        guard let item = context.items[id] else { return }
        switch item.phase {
        case .new(number, let isAnnounced):
            context.settle(
                id.place, after: isAnnounced ? .zero : context.settleDelay(at: id.place),
                Settling(isAnnounced: isAnnounced))
        case .claiming(number, let wish): context.makeReady(id.place, wish)
        case .recording(number, let proof):
            let since = context.served
            context.items.update(id.place) {
                $0.stored = .held(proof, since: since)
                $0.stamp = proof.stamp
                $0.failures = 0
            }
            context.makeProven(id.place)
            context.actions.append(.report(.proven(id, item.path)))
        case .removing, .shedding: Remover.committed(id.place, number, &context)
        default: break
        }
    }
}

/// The file with which the gate was closed last.
struct GateSuspect: Hashable, Sendable {
    let item: ItemID
    /// Whether another file was stored since.
    var othersWork = false
}
