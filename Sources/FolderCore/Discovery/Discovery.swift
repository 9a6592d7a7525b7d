import TransferCommon

/// Which files exist, and which item each of them is. Notifications are hints: each leads to a look, and a scan finds
/// whatever they missed.
enum Discovery {
    /// The time after which an item whose key belongs to another file tries to get it again, if that file still has it.
    static let keyRetryDelay = Duration.seconds(600)

    // MARK: Scans

    static func beginScans(_ context: inout FolderContext) {
        guard context.hasStarted, context.journal.isWorking else { return }
        for index in context.folders.indices {
            guard let due = context.folders[index].scan.nextDeadline, due <= context.now else { continue }
            let folder = FolderID(UInt32(index))
            let request = context.request(.scan(folder))
            guard context.folders[index].scan.begin(request, now: context.now) else { continue }
            context.actions.append(.scan(request, folder))
        }
    }

    static func scanned(_ request: RequestID, _ entries: [ScanEntry], _ context: inout FolderContext) {
        guard case .scan(let folder) = context.peek(request), folder.number < context.folders.count else { return }
        let scan = context.folders[Int(folder.number)].scan
        guard scan.isRunning(request) else { return }
        for entry in entries { found(folder, entry, isAnnounced: false, generation: scan.generation, &context) }
    }

    static func scanEnded(_ request: RequestID, failure: String?, _ context: inout FolderContext) {
        guard case .scan(let folder) = context.take(request), let rules = context.rules(of: folder) else { return }
        let now = context.now
        var isComplete = false
        var generation: UInt32 = 0
        context.withFolder(folder) {
            isComplete = $0.scan.ended(request, failure: failure, interval: rules.rescan, now: now)
            generation = $0.scan.generation
        }
        guard isComplete else { return }
        // A file that was renamed during a scan may be seen under neither name. Two scans cannot both miss it so.
        while let place = context.items.leastRecentlySeen(of: folder), let item = context.items[place],
            item.seenIn &+ 2 <= generation
        {
            if item.phase.isInExchange {
                context.items.saw(place, in: generation)
            } else {
                context.forget(place)
            }
        }
    }

    // MARK: Files

    /// A scan or a look has found a regular file.
    ///
    /// - Parameter generation: the number of the scan; `nil` for a look.
    static func found(
        _ folder: FolderID, _ entry: ScanEntry, isAnnounced: Bool, generation: UInt32?, _ context: inout FolderContext
    ) {
        guard !entry.path.isAside else { return }
        guard let place = context.items.place(of: folder, inode: entry.stamp.inode), let item = context.items[place],
            let id = context.items.id(of: place)
        else {
            // A scan that runs now may have passed the path already. It must not count as one that has missed the file.
            let seenIn = generation ?? context.scanGeneration(of: folder)
            return add(folder, entry, isAnnounced: isAnnounced || entry.hasMarker, generation: seenIn, &context)
        }
        guard item.path != entry.path else {
            if let generation { context.items.saw(place, in: generation) }
            return compare(place, item, entry, isAnnounced: isAnnounced || entry.hasMarker, &context)
        }
        // A file with several names is one item, which keeps the name under which it was found first.
        if let generation {
            if item.seenIn == generation { return }
            context.items.saw(place, in: generation)
        }
        guard !item.phase.isInExchange else { return }
        context.lookBacklog.append(.rename(id, entry.path, isAnnounced: isAnnounced || entry.hasMarker))
    }

    private static func compare(
        _ place: UInt32, _ item: Item, _ entry: ScanEntry, isAnnounced: Bool, _ context: inout FolderContext
    ) {
        guard !item.phase.isInExchange else { return }
        guard item.stamp.isSame(asSeen: entry.stamp) else {
            return changed(place, entry.stamp, isAnnounced: isAnnounced, &context)
        }
        // After a restart of the computer the device has another number.
        if item.stamp.device == 0 { context.items.update(place) { $0.stamp.device = entry.stamp.device } }
        switch item.phase {
        case .unmarked, .settling: if isAnnounced { context.settle(place, after: .zero, Settling(isAnnounced: true)) }
        case .missing: context.settleAnew(place)
        case .proven:
            if let store = context.store, let proof = item.stored.proof, proof.store != store {
                context.settle(place, after: .zero)
            }
        default: break
        }
    }

    /// The file of an item that is in no exchange has another stamp than before.
    static func changed(
        _ place: UInt32, _ stamp: FileStamp, isAnnounced: Bool, _ context: inout FolderContext
    ) {
        guard let item = context.items[place] else { return }
        let isQuarantined = item.phase.state == .quarantined
        context.items.update(place) {
            $0.stamp = stamp
            $0.isFromBefore = false
            if isQuarantined { $0.failures = 0 }
        }
        // Without a key the file cannot be sent, whatever its content.
        guard item.key != nil else { return }
        let delay = isAnnounced ? .zero : context.settleDelay(at: place)
        context.settle(place, after: delay, Settling(isAnnounced: isAnnounced))
        // The journal must not say any more that the item is quarantined.
        if isQuarantined { context.put(place) }
    }

    private static func add(
        _ folder: FolderID, _ entry: ScanEntry, isAnnounced: Bool, generation: UInt32, _ context: inout FolderContext
    ) {
        guard let rules = context.rules(of: folder) else { return }
        do {
            let key = try rules.keys.key(
                of: entry.path, modified: entry.stamp.modification, device: context.limits.device)
            let place = context.items.add(
                folder, entry.path, entry.stamp, key: key, phase: .new(0, isAnnounced: isAnnounced))
            context.items.update(place) {
                $0.priority = rules.priority(of: entry.path)
                $0.isFromBefore = generation <= 1
            }
            context.items.saw(place, in: generation)
            KeyClaims.claimFirst(place, &context)
        } catch {
            let trouble = ItemTrouble.noKey(error.message)
            let place = context.items.add(folder, entry.path, entry.stamp, key: nil, phase: .quarantined(trouble))
            context.items.saw(place, in: generation)
            context.quarantine(place, trouble)
        }
    }

    // MARK: Notifications

    static func noticed(_ folder: FolderID, _ path: ItemPath, _ notice: Notice, _ context: inout FolderContext) {
        guard context.hasStarted, let rules = context.rules(of: folder) else { return }
        guard context.lookBacklog.count - context.lookBacklogTaken < context.limits.noticesMax else {
            let now = context.now
            return context.withFolder(folder) { $0.scan.hurry(now: now) }
        }
        var path = path
        if rules.ready == .marker, path.isMarker { path = path.ofMarkedFile }
        guard !path.isAside, !path.bytes.isEmpty else { return }
        context.lookBacklog.append(.notice(folder, path, notice))
    }

    static func watching(_ folder: FolderID, _ isWatched: Bool, _ context: inout FolderContext) {
        let now = context.now
        context.withFolder(folder) {
            $0.isWatched = isWatched
            if !isWatched { $0.scan.hurry(now: now) }
        }
    }

    /// A look for a notification has its answer.
    static func noticeLooked(
        _ folder: FolderID, _ path: ItemPath, _ notice: Notice, _ result: LookResult, _ context: inout FolderContext
    ) {
        guard let rules = context.rules(of: folder) else { return }
        switch result {
        case .found(let look):
            let isAnnounced: Bool
            switch rules.ready {
            case .idle: isAnnounced = false
            case .rename: isAnnounced = notice == .movedHere
            case .closeWrite: isAnnounced = notice == .closedAfterWriting || notice == .movedHere
            case .marker: isAnnounced = look.hasMarker
            }
            let entry = ScanEntry(path, look.stamp, hasMarker: look.hasMarker)
            found(folder, entry, isAnnounced: isAnnounced, generation: nil, &context)
        case .changing, .missing, .unreadable: break  // A scan finds what becomes of the file.
        }
    }

    /// A look has its answer that was made because the inode of an item was seen at another path.
    static func renameLooked(
        _ id: ItemID, _ path: ItemPath, isAnnounced: Bool, _ result: LookResult, _ context: inout FolderContext
    ) {
        guard let item = context.items[id], !item.phase.isInExchange, item.path != path else { return }
        if case .unreadable(let reason) = result {
            // Without its content the file cannot be told from a new one with this inode. Later looks will show it.
            context.items.update(id.place) { $0.path = path }
            return item.phase == .missing ? context.fail(id.place, .unreadable(reason)) : ()
        }
        guard case .found(let look) = result, look.stamp.inode == item.stamp.inode, !look.isStillAtFormerPath else {
            return
        }
        let isAnnounced = isAnnounced || look.hasMarker
        // Nothing was sent yet, so the file is stored under the key of its new name: a program may have written it
        // under a temporary one.
        guard item.key != nil, item.hasBeenSent || item.stored.record != nil else {
            return replace(id, path, look, isAnnounced: isAnnounced, &context)
        }
        let isSameVersion = look.stamp.isRenamed(item.stamp)
        let isSameHead = item.head.byteCount > 0 ? look.headAsRecorded == item.head.hash : isSameVersion
        let continues = item.stored.record.map { look.prefixRoot == $0.root } ?? true
        // Otherwise the inode was given to a new file.
        guard isSameHead, isSameVersion || continues else {
            return replace(id, path, look, isAnnounced: isAnnounced, &context)
        }
        let priority = context.rules(of: item.folder)?.priority(of: path) ?? item.priority
        context.items.update(id.place) {
            $0.path = path
            $0.priority = priority
        }
        if item.phase == .proven, isSameVersion, case .held(var proof, let since) = item.stored, proof.stampCounts {
            // A rename changes only the change time. Before a removal the content is compared.
            proof.stamp = look.stamp
            proof.stampCounts = false
            context.items.update(id.place) {
                $0.stamp = look.stamp
                $0.stored = .held(proof, since: since)
            }
            context.put(id.place)
        } else {
            context.put(id.place)
            changed(id.place, look.stamp, isAnnounced: isAnnounced, &context)
        }
    }

    /// Forgets an item, and takes the file that a look has found at another path as a new one.
    private static func replace(
        _ id: ItemID, _ path: ItemPath, _ look: FileLook, isAnnounced: Bool, _ context: inout FolderContext
    ) {
        guard let folder = context.items[id]?.folder else { return }
        context.forget(id.place)
        let entry = ScanEntry(path, look.stamp, hasMarker: look.hasMarker)
        found(folder, entry, isAnnounced: isAnnounced, generation: nil, &context)
    }
}

extension ItemPath {
    private static let markerSuffix = Array(".done".utf8)

    /// Whether the name is that of a marker.
    package var isMarker: Bool {
        name.count > Self.markerSuffix.count && name.suffix(Self.markerSuffix.count).elementsEqual(Self.markerSuffix)
    }

    /// The path of the file beside which this marker stands.
    package var ofMarkedFile: ItemPath { ItemPath(bytes.dropLast(Self.markerSuffix.count)) }

    /// The path of the marker of this file.
    package var marker: ItemPath { ItemPath(bytes + Self.markerSuffix) }
}

extension FileStamp {
    /// Whether a file with this stamp may be the one that was seen. A device of 0 stands for one of an earlier boot,
    /// whose number means nothing now.
    func isSame(asSeen other: FileStamp) -> Bool {
        var same = self
        if device == 0 { same.device = other.device }
        return same == other
    }
}
