import Foundation
import SeededRandom
import Synchronization
import TestSupport
import TransferCommon

/// The files to send, with the digests of all versions of each file.
final class SourceTree: Sendable {
    /// Root directory of the tree. The key of a file is its path below this directory.
    let directory: URL
    private let partBytes: Int
    private let aside: URL
    private let versions = Mutex<[String: [SHA256Digest]]>([:])

    init(directory: URL, aside: URL, partBytes: Int) throws {
        self.directory = directory
        self.aside = aside
        self.partBytes = partBytes
        for folder in [directory, aside] {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        }
    }

    func file(_ key: String) -> URL { directory.appending(path: key) }

    /// The keys of all files, each with the digest of the file's present version.
    var present: [String: SHA256Digest] { versions.withLock { $0.compactMapValues(\.last) } }

    /// Whether any version of a file has had this digest.
    func has(_ digest: SHA256Digest, under key: String) -> Bool {
        versions.withLock { $0[key]?.contains(digest) ?? false }
    }

    /// Creates a file, or atomically replaces it with new content.
    ///
    /// - Returns: size of the file in bytes.
    @discardableResult
    func write(_ key: String, using generator: inout SeededGenerator) throws -> Int {
        let content = SeededFile(
            seed: generator.next(), byteCount: drawSize(&generator),
            zeroBytesPerMebibyte: Bool.random(using: &generator) ? 0 : 1 << 19)
        let new = aside.appending(path: UUID().uuidString)
        try content.write(to: new)
        let digest = try fileDigest(new)
        // Record the version before another process can see it.
        versions.withLock { $0[key, default: []].append(digest) }
        let place = file(key)
        try FileManager.default.createDirectory(
            at: place.deletingLastPathComponent(), withIntermediateDirectories: true)
        guard rename(new.path(percentEncoded: false), place.path(percentEncoded: false)) == 0 else {
            throw CocoaError(.fileWriteUnknown)
        }
        return content.byteCount
    }

    /// Appends bytes to a file in one write.
    ///
    /// - Returns: number of appended bytes.
    func append(_ key: String, using generator: inout SeededGenerator) throws -> Int {
        let place = file(key)
        let copy = aside.appending(path: UUID().uuidString)
        try FileManager.default.copyItem(at: place, to: copy)
        let more = Data(generator.bytes(Int.random(in: 1...4_000, using: &generator)))
        for (url, isSeen) in [(copy, false), (place, true)] {
            let handle = try FileHandle(forWritingTo: url)
            try handle.seekToEnd()
            try handle.write(contentsOf: more)
            try handle.close()
            guard !isSeen else { continue }
            let digest = try fileDigest(copy)
            versions.withLock { $0[key, default: []].append(digest) }
        }
        try FileManager.default.removeItem(at: copy)
        return more.count
    }

    /// Draws a size as in real trees: mostly small, some empty, some near the part size, a few of several parts.
    private func drawSize(_ generator: inout SeededGenerator) -> Int {
        switch Int.random(in: 0..<100, using: &generator) {
        case 0..<8: 0
        case 8..<16: 1
        case 16..<50: Int.random(in: 2...4_096, using: &generator)
        case 50..<80: Int.random(in: 4_096...65_536, using: &generator)
        case 80..<93: Int.random(in: 65_536...600_000, using: &generator)
        case 93..<97: partBytes + Int.random(in: -1...1, using: &generator)
        default: partBytes * Int.random(in: 1...4, using: &generator) + Int.random(in: 0...partBytes, using: &generator)
        }
    }
}
