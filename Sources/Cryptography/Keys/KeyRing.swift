import TransferCommon
import WireProtocol

/// The keys with which the gateways of a site seal session tokens and open the tokens of each other.
///
/// A ring is an immutable value. A rotation makes a new ring. Each gateway has its own copy of the file, and the copies
/// are replaced one after the other, so two gateways may hold rings that are one rotation apart:
///
///     key    ring 1     ring 2     ring 3
///     A      sealing    retired    retired
///     B      opening    sealing    retired
///     C                 opening    sealing
///     D                            opening
///
/// Each ring seals with a key that the previous ring can already open with, and opens everything that earlier rings
/// have sealed. So gateways with two successive rings of this table can open each other's tokens. Every gateway of the
/// site must have ring *n* before any gateway gets ring *n* + 2. On a gateway that has an older ring, `open` throws
/// `unknownKey`, and the agent tries again.
package struct KeyRing: Sendable {
    /// Identifies a key within the site. Ids are random: if two copies of a ring are rotated separately by mistake, the
    /// two new keys have different ids.
    package struct KeyID: Hashable, Sendable {
        package let value: UInt32

        package init(value: UInt32) {
            self.value = value
        }
    }

    /// What a key is used for. A rotation moves keys to the next state.
    package enum State: String, Hashable, Sendable {
        /// The key is new and only opens tokens, until every gateway has it.
        case opening
        /// The key opens tokens. It also seals tokens, unless the ring has a newer key in this state.
        case sealing
        /// The key only opens tokens. It does so for as long as it is in the file, because tokens of unfinished uploads
        /// may need it.
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

    /// Maximum number of keys. It bounds the length of the file and the search for a key, and a site needs far fewer
    /// rotations.
    package static let keysMax = 128

    /// The keys, the oldest first. At least one is in the state `sealing`, and all ids are different.
    package let keys: [Key]

    /// The key that `seal` uses.
    package let sealingKey: Key

    /// The keys without their secrets, the oldest first.
    package var entries: [Entry] {
        keys.map { Entry(id: $0.id, state: $0.state) }
    }

    /// - Parameter keys: the keys, the oldest first.
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
    /// If this ring has no opening key, the method only adds one, and the sealing key stays.
    /// - Throws: `tooManyKeys` if an operator first has to remove retired keys from the file.
    package func rotated() throws(KeyRingError) -> KeyRing {
        try rotated(adding: try Self.makeKey(.opening))
    }

    /// The same rotation as `rotated()`, with a new key that the caller supplies.
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
    /// The id as 8 hexadecimal digits.
    package var description: String { hexadecimal(bytes) }

    /// The id as 4 bytes, the most significant first, as it appears in tokens and in associated data.
    package var bytes: [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * UInt32($0))) }
    }
}

// These conformances keep `print`, string interpolation, `String(reflecting:)` and `dump` from showing the secrets of a
// ring.

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
