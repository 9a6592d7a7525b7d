package import Foundation
import SeededRandom

/// A file whose bytes a seed decides, made piece by piece so that its size is not bounded by memory.
package struct SeededFile: Sendable {
    private static let pieceBytes = 1 << 20

    /// Decides every byte: two files with the same seed and size are the same, and those of another seed differ.
    package var seed: UInt64

    /// The length of the file.
    package var byteCount: Int

    /// How many bytes at the end of each 1 MiB are zero, for files that compress in part.
    package var zeroBytesPerMebibyte: Int

    package init(seed: UInt64, byteCount: Int, zeroBytesPerMebibyte: Int = 0) {
        self.seed = seed
        self.byteCount = byteCount
        self.zeroBytesPerMebibyte = zeroBytesPerMebibyte
    }

    /// Writes the file, replacing what is there.
    package func write(to url: URL) throws {
        try withNewFile(url) { file in
            for index in 0..<pieceCount {
                try file.write(contentsOf: piece(index))
            }
        }
    }

    /// The whole content, for files that are small.
    package var bytes: [UInt8] {
        (0..<pieceCount).flatMap(piece)
    }

    private var pieceCount: Int {
        (byteCount + Self.pieceBytes - 1) / Self.pieceBytes
    }

    private func piece(_ index: Int) -> [UInt8] {
        let count = min(Self.pieceBytes, byteCount - index * Self.pieceBytes)
        let randomCount = max(0, min(count, Self.pieceBytes - zeroBytesPerMebibyte))
        // Each piece has a generator of its own, so that its bytes do not depend on how many zeros went before.
        var generator = SeededGenerator(seed: seed ^ (UInt64(index) &* 0xD134_2543_DE82_EF95))
        let wordCount = (randomCount + 7) / 8
        var bytes = [UInt8](repeating: 0, count: max(count, wordCount * 8))
        bytes.withUnsafeMutableBytes { bytes in
            for word in 0..<wordCount {
                bytes.storeBytes(of: generator.next().littleEndian, toByteOffset: word * 8, as: UInt64.self)
            }
            for offset in randomCount..<bytes.count {
                bytes[offset] = 0
            }
        }
        return Array(bytes.prefix(count))
    }
}

/// Writes a file of `byteCount` bytes that has data only at the given offsets and holes between them.
/// - Parameter islands: the bytes at each offset; everything else reads as zero and takes no space where the file
///   system knows holes.
package func writeSparseFile(to url: URL, byteCount: Int, islands: [Int: [UInt8]]) throws {
    try withNewFile(url) { file in
        try file.truncate(atOffset: UInt64(byteCount))
        for (offset, bytes) in islands {
            try file.seek(toOffset: UInt64(offset))
            try file.write(contentsOf: bytes)
        }
    }
}

private func withNewFile(_ url: URL, _ body: (FileHandle) throws -> Void) throws {
    try Data().write(to: url)
    let file = try FileHandle(forWritingTo: url)
    do {
        try body(file)
    } catch {
        // The error that stopped the writing says more than one of closing.
        try? file.close()
        throw error
    }
    try file.close()
}
