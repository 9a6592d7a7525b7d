import TransferCommon

/// Which item has which key, and what happens if a key is taken. No two items have one key.
enum KeyClaims {
    /// The highest number in a key (`NAME~2.EXT`).
    static let numberMax: UInt32 = 9_999

    /// Gives an item its first key. If another item has the key, the folder's `on-change` decides.
    static func claimFirst(_ place: UInt32, _ context: inout FolderContext) {
        guard let item = context.items[place], let key = item.key, let rules = context.rules(of: item.folder) else {
            return
        }
        if item.ownsKey || context.items.claim(key, for: place) { return record(place, &context) }
        switch rules.onChange {
        case .keep: wait(place, &context)
        case .newKey:
            // The file has not settled under this key yet.
            if takeNumberedKey(place, &context) { record(place, &context) }
        case .replace:
            guard let owner = context.items.owner(of: key), let other = context.items[owner],
                !other.phase.isInExchange
            else { return wait(place, &context) }
            takeKey(key, from: owner, other, for: place, &context)
        }
    }

    /// The other item's proof of this key is withdrawn, and it is sent under another key. Both changes are in one
    /// transaction, which is durable before the object can be replaced.
    private static func takeKey(
        _ key: ObjectKey, from owner: UInt32, _ other: Item, for place: UInt32, _ context: inout FolderContext
    ) {
        // Asked first: a key that is released in vain would wake the items that wait for it, again and again.
        guard let (free, number) = freeKey(like: key, after: 1, context) else { return wait(place, &context) }
        context.items.release(keyOf: owner)
        guard context.items.claim(key, for: place), context.items.claim(free, for: owner) else {
            context.items.release(keyOf: place)
            _ = context.items.claim(key, for: owner)
            return wait(place, &context)
        }
        context.items.update(owner) {
            $0.keyNumber = number
            $0.stored = .none
        }
        context.put(owner)
        context.settleAnew(owner)
        record(place, &context)
    }

    private static func record(_ place: UInt32, _ context: inout FolderContext) {
        guard let item = context.items[place] else { return }
        var isAnnounced = false
        if case .new(_, let announced) = item.phase { isAnnounced = announced }
        let number = context.put(place, awaited: true)
        context.items.set(place, .new(number, isAnnounced: isAnnounced))
    }

    private static func wait(_ place: UInt32, _ context: inout FolderContext) {
        if context.items[place]?.phase != .taken(.otherFile), let item = context.items[place],
            let id = context.items.id(of: place)
        {
            context.actions.append(.report(.keyTaken(id, item.path, .otherFile)))
        }
        context.rest(place, .taken(.otherFile))
        context.items.awaitKey(place)
        context.wakes.add(place, at: context.now + Discovery.keyRetryDelay, context.items)
    }

    /// Wakes the items that have waited for a key that another item has given up.
    static func proceed(_ context: inout FolderContext) {
        for id in context.items.takeFreed() where context.items[id]?.phase == .taken(.otherFile) {
            context.wakes.add(id.place, at: context.now, context.items)
        }
    }

    // MARK: Objects

    /// The item's key holds another object, or its file is no continuation of its object. The folder's `on-change`
    /// decides.
    static func resolve(_ place: UInt32, _ conflict: KeyConflict, _ context: inout FolderContext) {
        guard let item = context.items[place], let id = context.items.id(of: place), let key = item.key,
            let rules = context.rules(of: item.folder)
        else { return }
        switch (rules.onChange, conflict) {
        case (_, .continuedFile), (.replace, _):
            let request = context.request(.recall(id))
            context.items.set(place, .recalling(request, conflict))
            context.actions.append(.recall(request, key))
        // The key may hold the changed file already, if the answer to an earlier upload was lost.
        case (.keep, .changedFile): context.makeReady(place, .ifAbsent)
        case (.keep, _):
            context.actions.append(.report(.keyTaken(id, item.path, conflict)))
            context.rest(place, .taken(conflict))
        case (.newKey, _): number(place, &context)
        }
    }

    /// Has a settled file sent under the next free key with a number.
    private static func number(_ place: UInt32, _ context: inout FolderContext) {
        guard takeNumberedKey(place, &context) else { return }
        let transaction = context.put(place, awaited: true)
        context.items.set(place, .claiming(transaction, .ifAbsent))
    }

    /// The journal has answered whether the agent has removed a file with the item's key.
    static func recalled(_ id: ItemID, _ request: RequestID, wasRemoved: Bool, _ context: inout FolderContext) {
        guard let item = context.items[id], case .recalling(request, let conflict) = item.phase,
            let rules = context.rules(of: item.folder)
        else { return }
        switch (wasRemoved, conflict) {
        case (false, .continuedFile): context.makeReady(id.place, .continuing)
        case (false, _):
            context.items.update(id.place) { $0.stored = item.stored.withdrawn }
            let number = context.put(id.place, awaited: true)
            context.items.set(id.place, .claiming(number, .replacing))
        case (true, _) where rules.onChange == .keep:
            context.actions.append(.report(.keyTaken(id, item.path, conflict)))
            context.rest(id.place, .taken(conflict))
        case (true, _): number(id.place, &context)
        }
    }

    /// Gives the item the next free key with a number; returns whether there is one. The item has nothing stored under
    /// this key. Without such a key the item is put into quarantine.
    private static func takeNumberedKey(_ place: UInt32, _ context: inout FolderContext) -> Bool {
        guard let item = context.items[place], let rules = context.rules(of: item.folder) else { return false }
        let base: ObjectKey
        do {
            base = try rules.keys.key(of: item.path, modified: item.stamp.modification, device: context.limits.device)
        } catch {
            context.fail(place, .noKey(error.message))
            return false
        }
        // The numbered key is made from the one that the item has, without its own number.
        let original =
            item.keyNumber == 0 ? item.key ?? base : item.key.flatMap { $0.withoutNumber(item.keyNumber) } ?? base
        guard let (key, number) = freeKey(like: original, after: max(item.keyNumber, 1), context),
            context.items.claim(key, for: place)
        else {
            context.quarantine(place, .noKey("every numbered key is taken or too long"))
            return false
        }
        context.items.update(place) {
            $0.keyNumber = number
            $0.stored = .none
        }
        return true
    }

    private static func freeKey(
        like key: ObjectKey, after number: UInt32, _ context: FolderContext
    ) -> (ObjectKey, UInt32)? {
        guard number < numberMax else { return nil }
        for next in (number + 1)...numberMax {
            // A key that becomes too long has no numbered form.
            guard let candidate = try? ObjectKey(validating: key.bytes.numbered(next)) else { return nil }
            if context.items.owner(of: candidate) == nil { return (candidate, next) }
        }
        return nil
    }
}

extension StoredState {
    /// The state without a proof.
    var withdrawn: StoredState {
        switch self {
        case .none, .withdrawn: self
        case .held(let proof, _): .withdrawn(proof)
        }
    }
}

extension ObjectKey {
    /// The key without the `~number` that `numbered` has inserted; `nil` if it has none.
    func withoutNumber(_ number: UInt32) -> ObjectKey? {
        let mark = Array("~\(number)".utf8)
        guard bytes.count > mark.count else { return nil }
        for start in stride(from: bytes.count - mark.count, through: 0, by: -1) {
            guard bytes[start..<(start + mark.count)].elementsEqual(mark) else { continue }
            let rest = Array(bytes[..<start]) + Array(bytes[(start + mark.count)...])
            guard rest.numbered(number) == bytes else { continue }
            // A key that is shorter than a valid one is valid, unless its only segment is gone.
            return try? ObjectKey(validating: rest)
        }
        return nil
    }
}
