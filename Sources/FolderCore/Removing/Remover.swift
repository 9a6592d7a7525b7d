import TransferCommon

/// Which proven files are deleted or moved now, and which unproven ones are shed.
enum Remover {
    /// When a removal that was refused is tried again.
    static let retryDelay = Duration.seconds(60)
    static let unknownDelay = Duration.seconds(3_600)

    static func proceed(_ context: inout FolderContext) {
        guard context.hasStarted else { return }
        for index in context.folders.indices where !context.folders[index].isPaused {
            while context.removing < context.limits.removingMax, let place = nextDue(index, &context) {
                begin(place, &context)
            }
            shed(index, &context)
        }
    }

    /// Takes the folder's next proven item whose grace is over, or the oldest one if the disk is full.
    private static func nextDue(_ index: Int, _ context: inout FolderContext) -> UInt32? {
        let rules = context.folders[index].rules
        guard let store = context.store, !rules.confirmsBeforeRemoval || !context.gate.isClosed else { return nil }
        while let turn = context.folders[index].proven.first(context.items) {
            let isDue = rules.grace != nil && turn.rank <= context.served.wholeNanoseconds
            let isEarly =
                rules.whenFull != .hold && context.folders[index].space.state == .low
                && context.folders[index].mayDeleteEarly
            guard isDue || isEarly else { return nil }
            _ = context.folders[index].proven.popFirst()
            guard context.items[turn.place]?.stored.proof?.store == store else {
                // A proof of another store is none. The next scan lets the item settle, unless the store changes back.
                context.makeProven(turn.place, notBefore: context.served + retryDelay)
                if isDue { continue } else { return nil }
            }
            if !isDue { context.folders[index].mayDeleteEarly = false }
            return turn.place
        }
        return nil
    }

    private static func begin(_ place: UInt32, _ context: inout FolderContext) {
        guard let item = context.items[place], item.phase == .proven, let proof = item.stored.proof,
            let id = context.items.id(of: place), let rules = context.rules(of: item.folder)
        else { return }
        var aim = Removal.Aim.delete
        if case .move = rules.after { aim = .move }
        let request = context.request(.step(id))
        let removal = Removal(
            aim, of: item.path, proof, aside: item.path.aside(context.generator.next()),
            confirms: rules.confirmsBeforeRemoval, rechecks: rules.rechecksContent, request)
        start(removal, request, place, item.folder, &context)
    }

    /// Continues a removal that an earlier run has begun.
    static func recover(_ place: UInt32, aside: ItemPath, _ context: inout FolderContext) {
        guard let item = context.items[place], let proof = item.stored.record, let id = context.items.id(of: place)
        else {
            return
        }
        let request = context.request(.step(id))
        start(Removal(recovering: item.path, proof, aside: aside, request), request, place, item.folder, &context)
    }

    private static func start(
        _ removal: Removal, _ request: RequestID, _ place: UInt32, _ folder: FolderID, _ context: inout FolderContext
    ) {
        context.items.set(place, .removing(removal))
        context.removing += 1
        context.actions.append(.step(request, folder, removal.firstStep))
    }

    // MARK: Events

    static func stepped(_ id: ItemID, _ request: RequestID, _ answer: RemovalAnswer, _ context: inout FolderContext) {
        guard let item = context.items[id] else { return }
        switch item.phase {
        case .removing(var removal) where removal.request == request:
            let next = context.request(.step(id))
            let effect = removal.answered(answer, next: next, now: context.now)
            apply(effect, removal, id, next, &context)
        case .shedding(var shedding) where shedding.request == request:
            let next = context.request(.step(id))
            let effect = shedding.answered(answer, next: next)
            apply(effect, shedding, id, next, &context)
        default: break
        }
    }

    static func proved(_ id: ItemID, _ request: RequestID, _ answer: ProveAnswer, _ context: inout FolderContext) {
        if case .failed(let cause) = answer {
            context.gate.failed(cause, policy: context.limits.retry, now: context.now, using: &context.generator)
        } else {
            context.gate.worked()
        }
        guard let item = context.items[id], case .removing(var removal) = item.phase, removal.request == request else {
            return
        }
        let effect = removal.proved(answer)
        apply(effect, removal, id, request, &context)
    }

    static func committed(_ place: UInt32, _ number: TransactionNumber, _ context: inout FolderContext) {
        guard let item = context.items[place], let id = context.items.id(of: place) else { return }
        let next = context.request(.step(id))
        switch item.phase {
        case .removing(var removal) where removal.awaits(number):
            let effect = removal.committed(next)
            apply(effect, removal, id, next, &context)
        case .shedding(var shedding) where shedding.awaits(number):
            let effect = shedding.committed(next)
            apply(effect, shedding, id, next, &context)
        default: _ = context.take(next)
        }
    }

    static func tick(_ place: UInt32, _ context: inout FolderContext) {
        guard let item = context.items[place], let id = context.items.id(of: place),
            case .removing(var removal) = item.phase
        else { return }
        let next = context.request(.step(id))
        let effect = removal.tick(next, now: context.now)
        apply(effect, removal, id, next, &context)
    }

    // MARK: Effects

    private static func apply(
        _ effect: RemovalEffect, _ removal: Removal, _ id: ItemID, _ next: RequestID, _ context: inout FolderContext
    ) {
        guard let item = context.items[id], let key = item.key else { return }
        let place = id.place
        var removal = removal
        if case .step = effect {} else { _ = context.take(next) }
        switch effect {
        case .step(let step): context.actions.append(.step(next, item.folder, step))
        case .ask:
            let request = context.request(.proving(id))
            removal.asks(request)
            context.actions.append(.prove(request, item.folder, removal.path, removal.proof))
        case .recordNames:
            removal.recorded(
                in: context.put(place, awaited: true) { $0.course = .removing(aside: removal.aside) })
        case .recordEnd: removal.recorded(in: context.journal.add(.removed(id, key), awaitedBy: id))
        case .recordReturn:
            if removal.path != item.path {
                context.actions.append(.report(.renamedBack(id, from: item.path, to: removal.path)))
                context.items.update(place) { $0.path = removal.path }
            }
            let number = context.put(place, awaited: true)
            removal.recorded(in: number)
            // An item whose key is another item's has no record that could be written, so no transaction is awaited.
            if number == 0 { return apply(removal.committed(next), removal, id, next, &context) }
        case .wait(let until):
            context.items.set(place, .removing(removal))
            return context.wakes.add(place, at: until, context.items)
        case .nothing: break
        case .ended(let verdict): return end(place, item, verdict, &context)
        }
        context.items.set(place, .removing(removal))
    }

    private static func end(
        _ place: UInt32, _ item: Item, _ verdict: RemovalVerdict, _ context: inout FolderContext
    ) {
        context.removing -= 1
        guard let id = context.items.id(of: place) else { return }
        switch verdict {
        case .removed:
            context.items.remove(place)
            context.actions.append(.report(.removed(id, item.folder, item.path)))
        case .keep(let refusal):
            context.actions.append(.report(.removalRefused(id, item.path, refusal)))
            // After a restart, a removal is undone also where its proof was withdrawn.
            guard item.stored.proof != nil else { return context.settleAnew(place) }
            let delay = refusal == .gatewayCannotTell ? unknownDelay : retryDelay
            context.makeProven(place, notBefore: context.served + delay)
        case .changed: context.settleAnew(place)
        case .missing: context.rest(place, .missing)
        case .notStored:
            context.items.update(place) { $0.stored = item.stored.withdrawn }
            context.put(place)
            context.settleAnew(place)
        }
    }

    // MARK: Shedding

    /// Deletes the oldest unproven file if the disk is full, no proven file is left, and the user allows it.
    private static func shed(_ index: Int, _ context: inout FolderContext) {
        // The folder is not copied: a copy would make every change of its queues copy them, too.
        guard context.folders[index].rules.whenFull == .shed, context.folders[index].space.state == .low,
            context.folders[index].mayDeleteEarly, context.removing < context.limits.removingMax,
            context.folders[index].proven.first(context.items) == nil,
            let turn = context.folders[index].ages.first(context.items), let item = context.items[turn.place],
            let id = context.items.id(of: turn.place)
        else { return }
        _ = context.folders[index].ages.popFirst()
        context.folders[index].mayDeleteEarly = false
        let number = context.journal.add(.shed(id, item.path, size: item.stamp.size), awaitedBy: id)
        context.items.set(turn.place, .shedding(Shedding(item.path, item.stamp, listedIn: number)))
        context.removing += 1
    }

    private static func apply(
        _ effect: Shedding.Effect, _ shedding: Shedding, _ id: ItemID, _ next: RequestID,
        _ context: inout FolderContext
    ) {
        guard let item = context.items[id] else { return }
        var shedding = shedding
        if case .step = effect {} else { _ = context.take(next) }
        switch effect {
        case .step(let step): context.actions.append(.step(next, item.folder, step))
        case .recordEnd: shedding.recorded(in: context.journal.add(.forget(id), awaitedBy: id))
        case .removed:
            context.removing -= 1
            context.items.remove(id.place)
            return context.actions.append(.report(.shed(id, shedding.path, size: shedding.stamp.size)))
        case .kept:
            context.removing -= 1
            _ = context.journal.add(.unshed(id))
            return context.settleAnew(id.place)
        case .nothing: break
        }
        context.items.set(id.place, .shedding(shedding))
    }
}
