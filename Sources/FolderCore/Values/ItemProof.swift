package import TransferCommon

/// The result of an item's upload: which object in the store has which content. It is a proof only once the journal has
/// it, and as long as `store` is the store in use.
package struct ItemProof: Hashable, Sendable {
    package var store: StoreIdentity
    package var key: ObjectKey
    /// The session that wrote the object.
    package var session: SessionID
    /// The file as it was read.
    package var stamp: FileStamp
    /// Whether the stamp distinguishes this version of the file from every later one.
    package var stampCounts: Bool
    package var partBytes: UInt64
    /// The root digest of what was read.
    package var root: SHA256Digest
    package var etag: String
    package var version: String

    package init(
        store: StoreIdentity, key: ObjectKey, session: SessionID, stamp: FileStamp, stampCounts: Bool = false,
        partBytes: UInt64, root: SHA256Digest, etag: String = "", version: String = ""
    ) {
        self.store = store
        self.key = key
        self.session = session
        self.stamp = stamp
        self.stampCounts = stampCounts
        self.partBytes = partBytes
        self.root = root
        self.etag = etag
        self.version = version
    }
}

/// What has been stored of an item. Boxed, so that an item that was never stored needs no memory for it.
package indirect enum StoredState: Hashable, Sendable {
    case none
    /// The proof was withdrawn because its object is being replaced, or because the gateway denies it. It still shows
    /// whether the file continues what was stored.
    case withdrawn(ItemProof)
    /// - since: the service time at which the proof became durable; grace counts from then.
    case held(ItemProof, since: ServiceTime)

    /// The proof, also a withdrawn one.
    package var record: ItemProof? {
        switch self {
        case .none: nil
        case .withdrawn(let proof), .held(let proof, _): proof
        }
    }

    /// The proof, unless it is withdrawn.
    package var proof: ItemProof? {
        if case .held(let proof, _) = self { proof } else { nil }
    }
}

/// How long the service has run on this computer, over all restarts. Sleep of the computer counts, time without the
/// service after a reboot does not: no clock is needed that survives a reboot.
package typealias ServiceTime = Duration

/// What the journal keeps of an item.
package struct ItemRecord: Hashable, Sendable {
    /// What the item was doing.
    package enum Course: Hashable, Sendable {
        /// It is to be sent, or is proven: the stored state tells.
        case usual
        /// Its file was being removed, and has one of these two names.
        case removing(aside: ItemPath)
        /// It is not tried again by itself. The reason is for people.
        case quarantined(String)
    }

    package var id: ItemID
    package var folder: FolderID
    package var path: ItemPath
    package var stamp: FileStamp
    package var head: FileHead
    package var key: ObjectKey
    /// The number in the key (`NAME~2.EXT`); 0 for none.
    package var keyNumber: UInt32
    package var stored: StoredState
    package var course: Course

    package init(
        id: ItemID, folder: FolderID, path: ItemPath, stamp: FileStamp, head: FileHead, key: ObjectKey,
        keyNumber: UInt32 = 0, stored: StoredState = .none, course: Course = .usual
    ) {
        self.id = id
        self.folder = folder
        self.path = path
        self.stamp = stamp
        self.head = head
        self.key = key
        self.keyNumber = keyNumber
        self.stored = stored
        self.course = course
    }
}
