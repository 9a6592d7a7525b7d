package import TransferCommon

/// What an item is doing.
///
///     from         event                                                              to
///     any          its file is changed, while the item is in no exchange              settling
///     any          its file is missing, while the item is in no exchange              missing
///     any          it is shed for want of space, while the item is in no exchange     shedding
///     new          the journal has its record                                         settling
///     new          its key belongs to another item                                    taken
///     new          every numbered key is taken                                        quarantined
///     settling     its next look begins                                               looking
///     settling     a marker is needed, and there is none                              unmarked
///     looking      the file is still written, or has to be looked at again            settling
///     looking      the file may be sent                                               ready
///     looking      the content is what was stored                                     proven
///     looking      it has no key yet, and gets one                                    new
///     looking      its key belongs to another item                                    taken
///     looking      its object is to be replaced, and the journal is asked first       recalling
///     looking      the file has failed                                                waiting
///     looking      the file has failed too often                                      quarantined
///     looking      no marker stands beside the file                                   unmarked
///     looking      the next free key is chosen                                        claiming
///     ready        the journal has to record a withdrawn proof first                  claiming
///     ready        its turn has come                                                  sending
///     recalling    the journal knows of no removed file                               claiming
///     recalling    the file continues its object, and no proof has to be withdrawn    ready
///     recalling    the agent has removed a file with this key                         taken
///     recalling    every numbered key is taken                                        quarantined
///     claiming     the withdrawal or the new key is durable                           ready
///     sending      it is stored, and its stamp does not tell versions apart           confirming
///     sending      it is stored                                                       recording
///     sending      the network or the gateway has failed                              ready
///     sending      the key holds another object                                       taken
///     sending      the key holds another object, which may be replaced                recalling
///     sending      the key holds another object, and the next free key is chosen      claiming
///     sending      the file was changed while it was read                             settling
///     sending      it has failed for its own reason                                   waiting
///     sending      it has failed too often                                            quarantined
///     sending      the file is missing                                                missing
///     confirming   the content is what was stored                                     recording
///     confirming   the content is another one                                         settling
///     confirming   the file is missing                                                missing
///     confirming   it has failed for its own reason                                   waiting
///     confirming   it has failed too often                                            quarantined
///     recording    the proof is durable                                               proven
///     proven       its grace is over                                                  removing
///     removing     the file has its name again, or was never touched                  settling
///     removing     a later attempt is needed                                          proven
///     removing     the file is missing                                                missing
///     shedding     the file could not be deleted                                      settling
///     waiting      its time has come                                                  settling
///     taken        its time has come, and its key is free                             new
///     taken        every numbered key is taken                                        quarantined
///     taken        the user asks for another attempt                                  settling
///     quarantined  the user asks for another attempt                                  settling
///     missing      a scan finds the file                                              settling
///     missing      its record of an earlier run has a proof                           proven
///     missing      an earlier run has begun to remove its file                        removing
///     missing      a scan finds the file, which cannot be read                        waiting
///     missing      it has failed too often                                            quarantined
///
/// An item whose file was removed, or is missing in two scans, leaves the table of items.
package enum ItemPhase: Hashable, Sendable {
    /// The journal is writing its first record, which fixes the key.
    case new(TransactionNumber, isAnnounced: Bool)
    /// It waits for its next look.
    case settling(Settling)
    case looking(RequestID, Settling)
    /// It waits for a marker beside the file.
    case unmarked
    /// It waits for its turn to be sent.
    case ready(SendWish)
    /// The journal is asked whether the agent has removed a file with this key.
    case recalling(RequestID, KeyConflict)
    /// The journal is writing a change that must be durable before the file is sent.
    case claiming(TransactionNumber, SendWish)
    case sending(RequestID, SendWish)
    /// The content is read again, because the stamps of the read do not tell whether it has changed.
    indirect case confirming(RequestID, ItemProof)
    /// The journal is writing the proof.
    indirect case recording(TransactionNumber, ItemProof)
    case proven
    /// Its file is being deleted or moved.
    indirect case removing(Removal)
    /// Its file is deleted although it is not proven, because the disk is full.
    indirect case shedding(Shedding)
    case waiting(ItemTrouble, until: Instant)
    /// Its key belongs to another file, or holds an object that it may not replace.
    case taken(KeyConflict)
    /// It is not tried again by itself.
    case quarantined(ItemTrouble)
    /// The file was not found. Two scans decide whether it is gone.
    case missing
}

/// What is known of a file that settles.
package struct Settling: Hashable, Sendable {
    /// What is known of the content at the previous look. Needed only on file systems whose stamps cannot be trusted,
    /// so an item without it takes less memory (`indirect`).
    package indirect enum Content: Hashable, Sendable {
        case unread
        /// It has to be read at the next look.
        case wanted
        case root(SHA256Digest)
    }

    /// Whether a marker or a notification says that the file is finished.
    package var isAnnounced: Bool
    package var content: Content

    package init(isAnnounced: Bool = false, content: Content = .unread) {
        self.isAnnounced = isAnnounced
        self.content = content
    }
}

/// Which object an item may write.
package enum SendWish: UInt8, Hashable, Sendable {
    /// None may have the key, or one with the same content.
    case ifAbsent
    /// The item's own earlier object is continued.
    case continuing
    /// Any object is replaced. Proofs of the key are withdrawn.
    case replacing
}

/// Why an item's key is not its own.
package enum KeyConflict: UInt8, Hashable, Sendable {
    /// Another file of the folder has the key.
    case otherFile
    /// The key holds an object with other content.
    case otherObject
    /// The file was changed otherwise than by appending, and its object is kept.
    case changedFile
    /// The file continues its own object, but the agent has removed another file with the same object.
    case continuedFile

    /// The reason for people.
    package var words: String {
        switch self {
        case .otherFile: "another file of the folder has its key"
        case .otherObject: "its key holds an object with other content"
        case .changedFile: "it was changed after it was stored, and its object is not replaced"
        case .continuedFile: "its object belongs to a removed file, too, and is not replaced"
        }
    }
}

/// Why an item failed for a reason of its own.
package enum ItemTrouble: Hashable, Sendable {
    case changesWhileRead
    /// - reason: a sentence for people.
    indirect case unreadable(String)
    indirect case refused(String)
    indirect case noKey(String)
    indirect case recorded(String)

    /// The reason for people.
    package var words: String {
        switch self {
        case .changesWhileRead: "the file changes while it is read"
        case .unreadable(let reason): "the file cannot be read: \(reason)"
        case .refused(let reason): "the gateway refuses the file: \(reason)"
        case .noKey(let reason): "the file has no valid key: \(reason)"
        case .recorded(let reason): reason
        }
    }
}

/// The name of a phase, for counts and displays.
package enum ItemState: String, CaseIterable, Hashable, Sendable {
    case new, settling, looking, unmarked, ready, recalling, claiming, sending, confirming, recording, proven, removing
    case shedding, waiting, taken, quarantined, missing

    /// Whether the file is not proven.
    package var isPending: Bool {
        switch self {
        case .proven, .removing: false
        default: true
        }
    }

    /// Whether the file comes to an end by itself: it is proven, or is gone, or something stops it.
    package var isUnderWay: Bool { isPending && !isStopped }

    /// Whether the file is not sent before a person, or another program, does something.
    package var isStopped: Bool {
        switch self {
        case .unmarked, .taken, .quarantined: true
        default: false
        }
    }

    /// Whether people are shown the file as a trouble.
    package var isTrouble: Bool { isStopped || self == .waiting }
}

extension ItemPhase {
    package var state: ItemState {
        switch self {
        case .new: .new
        case .settling: .settling
        case .looking: .looking
        case .unmarked: .unmarked
        case .ready: .ready
        case .recalling: .recalling
        case .claiming: .claiming
        case .sending: .sending
        case .confirming: .confirming
        case .recording: .recording
        case .proven: .proven
        case .removing: .removing
        case .shedding: .shedding
        case .waiting: .waiting
        case .taken: .taken
        case .quarantined: .quarantined
        case .missing: .missing
        }
    }

    /// Whether an answer of the gateway, the journal or the removal is outstanding. What a scan finds of the file
    /// meanwhile is ignored: the next scan finds it again.
    package var isInExchange: Bool {
        switch self {
        case .new, .recalling, .claiming, .sending, .confirming, .recording, .removing, .shedding: true
        case .settling, .looking, .unmarked, .ready, .proven, .waiting, .taken, .quarantined, .missing: false
        }
    }
}
