import TransferCommon

/// Whether the file of an item may be sent now: looks at settling files, and what follows from them.
enum Settlement {
    // MARK: Looks

    /// Begins the looks that are due, and wakes other items whose time has come.
    static func proceed(_ context: inout FolderContext) {
        while context.looking < context.limits.lookingMax {
            if context.lookBacklogTaken < context.lookBacklog.count {
                let next = context.lookBacklog[context.lookBacklogTaken]
                context.lookBacklogTaken += 1
                // Removing the taken entries one by one would move all others each time.
                if context.lookBacklogTaken * 2 > context.lookBacklog.count {
                    context.lookBacklog.removeFirst(context.lookBacklogTaken)
                    context.lookBacklogTaken = 0
                }
                look(next, &context)
            } else if let place = context.wakes.popDue(context.items, now: context.now) {
                wake(place, &context)
            } else {
                return
            }
        }
    }

    private static func look(_ question: Asked, _ context: inout FolderContext) {
        switch question {
        case .notice(let folder, let path, _):
            let wants = LookWants(marker: context.rules(of: folder)?.ready == .marker)
            ask(question, folder, path, wants, &context)
        case .rename(let id, let path, _):
            guard let item = context.items[id], item.path != path else { return }
            var wants = wants(of: item, context)
            wants.formerPath = item.path
            ask(question, item.folder, path, wants, &context)
        default: break
        }
    }

    private static func ask(
        _ question: Asked, _ folder: FolderID, _ path: ItemPath, _ wants: LookWants, _ context: inout FolderContext
    ) {
        context.looking += 1
        context.actions.append(.look(context.request(question), folder, path, wants))
    }

    private static func wants(of item: Item, _ context: FolderContext) -> LookWants {
        LookWants(
            headBytes: item.head.byteCount,
            prefix: item.stored.record.map {
                LookWants.Prefix(byteCount: $0.stamp.size, partBytes: $0.partBytes)
            },
            marker: context.rules(of: item.folder)?.ready == .marker)
    }

    private static func wake(_ place: UInt32, _ context: inout FolderContext) {
        guard let item = context.items[place], let id = context.items.id(of: place) else { return }
        switch item.phase {
        case .settling(let settling):
            var wants = wants(of: item, context)
            if settling.content != .unread { wants.root = context.limits.partBytes }
            let request = context.request(.item(id))
            context.items.set(place, .looking(request, settling))
            context.looking += 1
            context.actions.append(.look(request, item.folder, item.path, wants))
        case .waiting: context.settle(place, after: .zero)
        case .taken: KeyClaims.claimFirst(place, &context)
        case .removing: Remover.tick(place, &context)
        default: break
        }
    }

    // MARK: Answers

    /// A look at a settling file has its answer.
    static func looked(_ id: ItemID, _ request: RequestID, _ result: LookResult, _ context: inout FolderContext) {
        guard let item = context.items[id], case .looking(request, let settling) = item.phase,
            let rules = context.rules(of: item.folder)
        else { return }
        let place = id.place
        let look: FileLook
        switch result {
        case .missing: return context.rest(place, .missing)
        case .unreadable(let reason): return context.fail(place, .unreadable(reason))
        case .changing(let stamp):
            if stamp.inode == item.stamp.inode { context.items.update(place) { $0.stamp = stamp } }
            return context.settleAnew(place)
        case .found(let found): look = found
        }
        // Another file has the path now. A scan decides whether this one was renamed.
        guard look.stamp.inode == item.stamp.inode else { return context.rest(place, .missing) }
        let first = item.stamp
        context.items.update(place) {
            $0.stamp = look.stamp
            $0.head = look.head
        }
        if rules.ready == .marker, !look.hasMarker { return context.rest(place, .unmarked) }
        var firstRoot: SHA256Digest?
        if case .root(let root) = settling.content { firstRoot = root }
        let isAnnounced = settling.isAnnounced || rules.ready == .marker
        switch Capture.judge(look, first: first, firstRoot: firstRoot, isAnnounced: isAnnounced) {
        case .ready: decide(place, look, &context)
        case .lookAgain(let delay): context.settle(place, after: max(delay, .zero), settling)
        case .compareLater(let root): context.settle(place, after: rules.settle, Settling(content: .root(root)))
        case .hash: context.settle(place, after: .zero, Settling(content: .wanted))
        case .stillWritten:
            let content = look.root.map { Settling.Content.root($0) } ?? .unread
            context.items.update(place) { $0.isFromBefore = false }
            context.settle(place, after: context.settleDelay(at: place), Settling(content: content))
        }
    }

    /// The file is one finished version. Decides whether it is stored already, and what it may replace.
    private static func decide(_ place: UInt32, _ look: FileLook, _ context: inout FolderContext) {
        guard let item = context.items[place], item.ownsKey else { return KeyClaims.claimFirst(place, &context) }
        guard let record = item.stored.record, context.store == nil || context.store == record.store else {
            return context.makeReady(place, .ifAbsent)
        }
        let beginsAsStored = look.prefixRoot == record.root
        if beginsAsStored, look.stamp.size == record.stamp.size {
            guard case .held(var proof, let since) = item.stored else { return context.makeReady(place, .ifAbsent) }
            let counts = Capture.counts(look.stamp, look.fileSystem, systemTime: look.systemTime)
            if proof.stamp != look.stamp || proof.stampCounts != counts {
                (proof.stamp, proof.stampCounts) = (look.stamp, counts)
                context.items.update(place) { $0.stored = .held(proof, since: since) }
                context.put(place)
            }
            context.items.update(place) { $0.failures = 0 }
            return context.makeProven(place)
        }
        let continues = beginsAsStored && look.stamp.size > record.stamp.size
        KeyClaims.resolve(place, continues ? .continuedFile : .changedFile, &context)
    }
}
