import TransferCommon
import WireProtocol

/// The keys with which the gateways of a site seal session tokens and open each other's.
///
/// A ring is an immutable value: a rotation makes another one. Each gateway has its own copy of the file, and the
/// copies are replaced one after the other, so two gateways may hold rings that are one rotation apart:
///
///     key    ring 1     ring 2     ring 3
///     A      sealing    retired    retired
///     B      opening    sealing    retired
///     C                 opening    sealing
///     D                            opening
///
/// A ring seals with a key that the previous ring could open with, and opens everything that earlier rings sealed. So
/// two neighbours in this table open each other's tokens, and every gateway of the site must have ring *n* before any
/// gateway gets ring *n* + 2. On a gateway whose ring is older than that, `open` throws `unknownKey`, and the agent
/// tries again.
package struct KeyRing: Sendable {
    /// Names a key within the site. Ids are random, so that two copies that were rotated separately by mistake do not
    /// use one id for two keys.
    package struct KeyID: Hashable, Sendable {
        package let value: UInt32

        package init(value: UInt32) {
            self.value = value
        }
    }

    /// What a key is used for. A rotation may move a key to the next state.
    package enum State: String, Hashable, Sendable {
        /// The key is new: it only opens tokens, until every gateway has the key.
        case opening
        /// The key opens tokens, and seals new ones unless a newer key does.
        case sealing
        /// The key opens tokens as long as it is in the file, because tokens of unfinished uploads may need it.
        case retired
    }

    /// A key without its secret, for display.
    package struct Entry: Hashable, Sendable {
        package let id: KeyID
        package let state: State
    }

    /// A key with its secret. Only this module and its tests use it.
    package struct Key: Sendable {
        package let id: KeyID
        package let state: State
        /// 32 bytes for AES-256-GCM.
        package let secret: [UInt8]

        package init(id: KeyID, state: State, secret: [UInt8]) {
            self.id = id
            self.state = state
            self.secret = secret
        }
    }

    /// Limits the size of the file and the search for a key. A site will not rotate its keys so often in its lifetime.
    package static let keysMax = 128

    /// Oldest first. At least one is sealing, and each id is unique.
    package let keys: [Key]

    /// The key that `seal` uses.
    package let sealingKey: Key

    /// Oldest first, without the secrets.
    package var entries: [Entry] {
        keys.map { Entry(id: $0.id, state: $0.state) }
    }

    /// - Parameter keys: oldest first.
    package init(keys: [Key]) throws(KeyRingError) {
        guard keys.count <= Self.keysMax else { throw .tooManyKeys(keysMax: Self.keysMax) }
        var ids: Set<KeyID> = []
        for key in keys where !ids.insert(key.id).inserted { throw .duplicateKey(key.id) }
        guard let sealingKey = keys.last(where: { $0.state == .sealing }) else { throw .noSealingKey }
        self.keys = keys
        self.sealingKey = sealingKey
    }

    /// Makes a ring for a new site: one key that seals, and the key that will seal after the first rotation.
    package static func make() throws(KeyRingError) -> KeyRing {
        try KeyRing(keys: [try makeKey(.sealing), try makeKey(.opening)])
    }

    /// Makes the next ring: the oldest opening key now seals, the keys that sealed are retired, and a new opening key
    /// is added.
    ///
    /// A ring without an opening key only gets one; its sealing key stays.
    /// - Throws: `tooManyKeys` where retired keys have to be removed from the file first.
    package func rotated() throws(KeyRingError) -> KeyRing {
        try rotated(adding: try Self.makeKey(.opening))
    }

    /// As `rotated()`, with a new key of the caller.
    package func rotated(adding newKey: Key) throws(KeyRingError) -> KeyRing {
        guard let promoted = keys.first(where: { $0.state == .opening }) else {
            return try KeyRing(keys: keys + [newKey])
        }
        let moved = keys.map { key in
            let state: State =
                switch key.state {
                case .opening: key.id == promoted.id ? .sealing : .opening
                case .sealing, .retired: .retired
                }
            return Key(id: key.id, state: state, secret: key.secret)
        }
        return try KeyRing(keys: moved + [newKey])
    }

    private static func makeKey(_ state: State) throws(KeyRingError) -> Key {
        do {
            let id = try SecureRandom.publicBytes(count: 4).reduce(0) { $0 << 8 | UInt32($1) }
            let secret = try SecureRandom.secretBytes(count: AES256GCM.keyByteCount)
            return Key(id: KeyID(value: id), state: state, secret: secret)
        } catch {
            throw .cryptography(error)
        }
    }
}

extension KeyRing.KeyID: CustomStringConvertible {
    /// 8 hexadecimal digits.
    package var description: String { hexadecimal(bytes) }

    /// The 4 bytes, most significant first, as tokens and associated data contain them.
    package var bytes: [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * UInt32($0))) }
    }
}

// `print`, string interpolation, `String(reflecting:)` and `dump` reveal no key of a ring.

extension KeyRing: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String {
        "KeyRing(" + entries.map { "\($0.id) \($0.state.rawValue)" }.joined(separator: ", ") + ")"
    }

    package var debugDescription: String { description }

    package var customMirror: Mirror { Mirror(self, children: ["entries": entries]) }
}

extension KeyRing.Key: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "Key(\(id) \(state.rawValue))" }

    package var debugDescription: String { description }

    package var customMirror: Mirror { Mirror(self, children: ["id": id, "state": state]) }
}
