package import Foundation
import SeededRandom

/// A file whose content is determined by a seed. Created piece by piece, so its size is not limited by memory.
package struct SeededFile: Sendable {
    private static let pieceBytes = 1 << 20

    /// Number that determines every byte: the same seed and size give the same content, another seed gives other
    /// content.
    package var seed: UInt64

    /// Size of the file in bytes.
    package var byteCount: Int

    /// Number of zero bytes at the end of each 1 MiB, for files that compress partly.
    package var zeroBytesPerMebibyte: Int

    package init(seed: UInt64, byteCount: Int, zeroBytesPerMebibyte: Int = 0) {
        self.seed = seed
        self.byteCount = byteCount
        self.zeroBytesPerMebibyte = zeroBytesPerMebibyte
    }

    /// Writes the file, replacing an existing one.
    package func write(to url: URL) throws {
        try withNewFile(url) { file in
            for index in 0..<pieceCount {
                try file.write(contentsOf: piece(index))
            }
        }
    }

    /// The whole content, for small files.
    package var bytes: [UInt8] {
        (0..<pieceCount).flatMap(piece)
    }

    private var pieceCount: Int {
        (byteCount + Self.pieceBytes - 1) / Self.pieceBytes
    }

    private func piece(_ index: Int) -> [UInt8] {
        let count = min(Self.pieceBytes, byteCount - index * Self.pieceBytes)
        let randomCount = max(0, min(count, Self.pieceBytes - zeroBytesPerMebibyte))
        // Each piece has its own generator, so that its bytes do not depend on the number of zeros in earlier pieces.
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

/// Writes a sparse file of `byteCount` bytes with data only at the given offsets.
/// - Parameter islands: bytes by offset. All other bytes are zero and take no space on file systems with holes.
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
        // The error so far explains more than an error of closing the file would.
        try? file.close()
        throw error
    }
    try file.close()
}
