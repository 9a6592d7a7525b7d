import TransferCommon
import WireProtocol

/// The keys with which the gateways of a site seal session tokens and open one another's.
///
/// A value: rotating gives another ring, and nothing changes for those who hold this one. Each gateway has its own copy
/// of the file, and copies are renewed one after the other, so two gateways may hold rings that are one rotation apart:
///
///     key    ring 1     ring 2     ring 3
///     A      sealing    retired    retired
///     B      opening    sealing    retired
///     C                 opening    sealing
///     D                            opening
///
/// A ring seals with a key that the ring before it could already open, and opens all that the rings before it sealed.
/// So any two neighbours in this table open each other's tokens, provided every gateway of the site has a ring before
/// any is given the one after the next. A gateway that lags further behind says `unknownKey`, and the agent retries.
package struct KeyRing: Sendable {
    /// A key's name within the site, drawn at random: two rings rotated apart by mistake never give two keys one name.
    package struct KeyID: Hashable, Sendable {
        package let value: UInt32

        package init(value: UInt32) {
            self.value = value
        }
    }

    /// What a key of the ring is used for; a rotation moves each one on.
    package enum State: String, Hashable, Sendable {
        /// New: opens only, until every gateway has it.
        case opening
        /// Opens, and seals unless a newer one does.
        case sealing
        /// Opens as long as its line stands in the file; tokens of unfinished uploads may still need it.
        case retired
    }

    /// One key as the outside may see it.
    package struct Entry: Hashable, Sendable {
        package let id: KeyID
        package let state: State
    }

    /// One key whole, secret included: for this room and its tests, nobody else has a use for it.
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

    /// More rotations than a site makes in its life; it bounds the file and the search for a key.
    package static let keysMax = 128

    /// Oldest first. At least one is sealing, and no two have one id.
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

    /// A ring for a new site: one key that seals, and the one that will after the first rotation.
    package static func make() throws(KeyRingError) -> KeyRing {
        try KeyRing(keys: [try makeKey(.sealing), try makeKey(.opening)])
    }

    /// The next ring: the oldest opening key seals, the ones that sealed are retired, a new opening key is added.
    ///
    /// A ring without an opening key gets one, and goes on sealing as before.
    /// - Throws: `tooManyKeys` when lines of retired keys must be removed from the file first.
    package func rotated() throws(KeyRingError) -> KeyRing {
        try rotated(adding: try Self.makeKey(.opening))
    }

    /// The same with a key that the caller has made.
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

    /// The 4 bytes, most significant first, that stand in a token and in associated data.
    package var bytes: [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * UInt32($0))) }
    }
}

// What `print`, string interpolation, `String(reflecting:)` and `dump` show of a ring holds no key.

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
