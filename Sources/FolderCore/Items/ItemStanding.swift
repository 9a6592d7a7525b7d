import TransferCommon

/// The state of an item with the reason for it, a sentence for people.
package struct ItemStanding: Hashable, Sendable {
    package let state: ItemState
    package let reason: String

    init(_ item: Item, _ context: FolderContext) {
        self.state = item.phase.state
        self.reason = Self.reason(item, context)
    }

    private static func reason(_ item: Item, _ context: FolderContext) -> String {
        let isPaused =
            item.folder.number < context.folders.count && context.folders[Int(item.folder.number)].isPaused
        switch item.phase {
        case .new: return "the agent's state is being written"
        case .settling: return "a process may still be writing it"
        case .looking: return "its content is being looked at"
        case .unmarked: return "the file \(item.path.marker.name.text) does not stand beside it yet"
        case .ready:
            if isPaused { return "its folder is paused" }
            return Sender.pause(context) ?? Sender.pause(priority: item.priority, context)
                ?? "other files are sent first"
        case .recalling: return "the agent looks up whether it has removed a file with this key"
        case .claiming: return "the agent's state is being written"
        case .sending: return "it is being sent"
        case .confirming: return "its content is compared with what was sent"
        case .recording: return "the proof is being written"
        case .proven: return proven(item, context, isPaused: isPaused)
        case .removing: return "it is being deleted or moved"
        case .shedding: return "it is being deleted because the disk is full"
        case .waiting(let trouble, _): return trouble.words
        case .quarantined(let trouble): return trouble.words
        case .taken(let conflict): return conflict.words
        case .missing: return "it was not found; the next scans decide whether it is gone"
        }
    }

    private static func proven(_ item: Item, _ context: FolderContext, isPaused: Bool) -> String {
        guard context.store == nil || item.stored.proof?.store == context.store else {
            return "it is stored in another store than the one in use"
        }
        guard let rules = context.rules(of: item.folder), rules.grace != nil else { return "it is stored" }
        if isPaused { return "it is stored; its folder is paused" }
        return "it is stored; it is deleted or moved when its time has come"
    }
}

extension ArraySlice<UInt8> {
    /// The name for people.
    fileprivate var text: String { String(decoding: self, as: UTF8.self) }
}
