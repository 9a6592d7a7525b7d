import SystemSupport
import TransferCommon

// The file has one key per line, the oldest first, as `id state key`, with id and key in hexadecimal digits. Empty
// lines and lines that begin with `#` are ignored. Saving a ring removes them.

extension KeyRing {
    /// Maximum length of the file. It is twice the length of a ring with `keysMax` keys, so that there is room for
    /// comments.
    private static let fileBytesMax = 32 * 1024

    private static let comment = """
        # The keys that seal Sluice's session tokens. Keep this file secret, and the same on every gateway of a site.
        # opening: opens only · sealing: the last one seals · retired: still opens
        # Remove a retired key's line when no upload that began before its retirement is still unfinished.

        """

    /// Makes a ring for a new site and writes it to a file that only the file's owner can read. Throws if the file
    /// exists.
    package static func create(at path: String) throws(KeyRingError) -> KeyRing {
        let ring = try make()
        do {
            try AtomicFile.writeNew(ring.text, to: path, mode: .ownerOnly)
        } catch {
            throw .file(error)
        }
        return ring
    }

    /// Reads a ring. Throws if other users than the file's owner may read or write the file.
    package static func load(from path: String) throws(KeyRingError) -> KeyRing {
        let text: [UInt8]
        do {
            text = try BoundedFile.read(path, bytesMax: fileBytesMax, access: .ownerOnly)
        } catch {
            throw .file(error)
        }
        return try KeyRing(text: text)
    }

    /// Replaces the file atomically.
    package func save(to path: String) throws(KeyRingError) {
        do {
            try AtomicFile.write(text, to: path, mode: .ownerOnly)
        } catch {
            throw .file(error)
        }
    }

    package var text: [UInt8] {
        let lines = keys.map { "\($0.id) \($0.state.rawValue) \(hexadecimal($0.secret))\n" }
        return Array((Self.comment + lines.joined()).utf8)
    }

    package init(text: [UInt8]) throws(KeyRingError) {
        var keys: [Key] = []
        let newline = UInt8(ascii: "\n")
        for (index, line) in text.split(separator: newline, omittingEmptySubsequences: false).enumerated() {
            // A person who edits the file may indent lines or add carriage returns.
            let fields = line.split(whereSeparator: { [UInt8(ascii: " "), UInt8(ascii: "\t"), 0x0D].contains($0) })
            guard let first = fields.first, first.first != UInt8(ascii: "#") else { continue }
            guard let key = Key(fields: fields) else { throw .malformedLine(number: index + 1) }
            keys.append(key)
        }
        try self.init(keys: keys)
    }
}

extension KeyRing.Key {
    fileprivate init?(fields: [ArraySlice<UInt8>]) {
        guard fields.count == 3,
            let id = bytesOfHexadecimal(String(decoding: fields[0], as: UTF8.self)), id.count == 4,
            let state = KeyRing.State(rawValue: String(decoding: fields[1], as: UTF8.self)),
            let secret = bytesOfHexadecimal(String(decoding: fields[2], as: UTF8.self)),
            secret.count == AES256GCM.keyByteCount
        else { return nil }
        let value = id.reduce(0) { $0 << 8 | UInt32($1) }
        self.init(id: KeyRing.KeyID(value: value), state: state, secret: secret)
    }
}
