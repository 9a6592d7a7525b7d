import CryptographySupport
import Foundation
import NIOCore
import SeededRandom
import SystemSupport
import TestSupport
import Testing

@Suite struct LZ4BlockTests {
    private static func text(byteCount: Int) -> [UInt8] {
        let line = Array("2020-01-01T00:00:00Z sensor=17 temperature=21.5 humidity=40\n".utf8)
        return (0..<byteCount).map { line[$0 % line.count] ^ UInt8(truncatingIfNeeded: $0 / 600 % 8) }
    }

    private static func block(of plain: [UInt8]) throws -> ByteBuffer {
        var compressor = LZ4Compressor()
        var block = ByteBuffer()
        let isShortEnough = compressor.compress(
            ByteBuffer(bytes: plain), into: &block, blockBytesMax: plain.count + 1024)
        try #require(isShortEnough)
        return block
    }

    @Test(arguments: [0, 1, 2, 12, 13, 64, 65, 1000, 65_535, 65_536, 65_537, 262_144])
    func roundTrips(byteCount: Int) throws {
        let plain = Self.text(byteCount: byteCount)
        let block = try Self.block(of: plain)
        let result = try LZ4Block.decompress(block, plainByteCount: byteCount)
        #expect(Array(result.readableBytesView) == plain)
        #expect(byteCount < 1000 || block.readableBytes < byteCount / 2)
    }

    @Test func randomBytesSurviveAndDoNotGetSmaller() throws {
        var generator = SeededGenerator(seed: 1)
        let plain = generator.bytes(count: 10_000)
        var compressor = LZ4Compressor()
        var output = ByteBuffer(string: "before")
        #expect(!compressor.compress(ByteBuffer(bytes: plain), into: &output, blockBytesMax: plain.count))
        #expect(output == ByteBuffer(string: "before"))
        let result = try LZ4Block.decompress(Self.block(of: plain), plainByteCount: plain.count)
        #expect(Array(result.readableBytesView) == plain)
    }

    @Test func aBlockIsAppendedExactlyWhenItIsShortEnough() throws {
        let plain = Self.text(byteCount: 5000)
        let block = try Self.block(of: plain)
        var compressor = LZ4Compressor()
        for spare in [
            -block.readableBytes - 1, -block.readableBytes, -100, -1, 0, 1, 100, Int.max - block.readableBytes,
        ] {
            var output = ByteBuffer(string: "before")
            let isShortEnough = compressor.compress(
                ByteBuffer(bytes: plain), into: &output, blockBytesMax: block.readableBytes + spare)
            #expect(isShortEnough == (spare >= 0))
            #expect(output.readString(length: 6) == "before")
            #expect(output.readableBytes == 0 || output == block)
            #expect((output.readableBytes > 0) == isShortEnough)
        }
    }

    @Test func onlyReadableBytesAreTaken() throws {
        var plain = ByteBuffer(bytes: [UInt8](repeating: 7, count: 100) + Self.text(byteCount: 2000))
        plain.moveReaderIndex(forwardBy: 100)
        var compressor = LZ4Compressor()
        var output = ByteBuffer(string: "before")
        #expect(compressor.compress(plain, into: &output, blockBytesMax: 1999))
        #expect(plain.readableBytes == 2000)
        output.moveReaderIndex(forwardBy: 6)
        let result = try LZ4Block.decompress(output, plainByteCount: 2000)
        #expect(Array(result.readableBytesView) == Self.text(byteCount: 2000))
        #expect(output.readerIndex == 6)
    }

    @Test func oneCompressorMakesIndependentBlocks() throws {
        var compressor = LZ4Compressor()
        let plain = ByteBuffer(bytes: Self.text(byteCount: 5000))
        let expected = try Self.block(of: Self.text(byteCount: 5000))
        for _ in 0..<3 {
            var block = ByteBuffer()
            #expect(compressor.compress(plain, into: &block, blockBytesMax: 5000))
            #expect(block == expected)
        }
    }

    /// The examples for literal lengths in LZ4's "Block Format Description", and a match that overlaps itself.
    @Test(
        arguments: [
            ([0xF0, 33], 48), ([0xF0, 255, 10], 280), ([0xF0, 0], 15), ([0x70], 7),
        ] as [([UInt8], Int)])
    func literalsAreReadAsTheFormatSays(start: [UInt8], literalCount: Int) throws {
        let literals = (0..<literalCount).map { UInt8(truncatingIfNeeded: $0) }
        let result = try LZ4Block.decompress(ByteBuffer(bytes: start + literals), plainByteCount: literalCount)
        #expect(Array(result.readableBytesView) == literals)
    }

    @Test func aMatchIsReadAsTheFormatSays() throws {
        // One literal, then a match of 4 + 15 + 1 bytes at distance 1, then the five literals with which a block must
        // end.
        let block: [UInt8] = [0x1F, 0x61, 1, 0, 1, 0x50, 0x62, 0x62, 0x62, 0x62, 0x62]
        let result = try LZ4Block.decompress(ByteBuffer(bytes: block), plainByteCount: 26)
        #expect(String(buffer: result) == String(repeating: "a", count: 21) + "bbbbb")
    }

    @Test(arguments: [1, 7, 1000, 65_536])
    func anotherPlainByteCountIsAnError(byteCount: Int) throws {
        let block = try Self.block(of: Self.text(byteCount: byteCount))
        #expect(throws: LZ4Error.malformed) { try LZ4Block.decompress(block, plainByteCount: byteCount - 1) }
        #expect(throws: LZ4Error.fewerPlainBytes(expected: byteCount + 1, actual: byteCount)) {
            try LZ4Block.decompress(block, plainByteCount: byteCount + 1)
        }
    }

    @Test func impossibleCountsAreRefusedWithoutAllocating() throws {
        let block = try Self.block(of: Self.text(byteCount: 1000))
        for count in [-1, Int.min, Int.max, Int(Int32.max), block.readableBytes * 255 + 1] {
            #expect(throws: LZ4Error.malformed) { try LZ4Block.decompress(block, plainByteCount: count) }
        }
    }

    /// The limit on the ratio of decompressed to compressed bytes accepts every valid block, even the densest possible
    /// one.
    @Test func theDensestBlockIsNotRefused() throws {
        let byteCount = 4 * 1024 * 1024
        let block = try Self.block(of: [UInt8](repeating: 0, count: byteCount))
        #expect(block.readableBytes < byteCount / 250)
        #expect(try LZ4Block.decompress(block, plainByteCount: byteCount).readableBytes == byteCount)
    }

    @Test func truncatedBlockIsRefused() throws {
        let plain = Self.text(byteCount: 3000)
        let block = try Self.block(of: plain)
        for byteCount in 0..<block.readableBytes {
            let cut = try #require(block.getSlice(at: 0, length: byteCount))
            #expect(throws: LZ4Error.self) { try LZ4Block.decompress(cut, plainByteCount: plain.count) }
        }
    }

    @Test(arguments: 0...255)
    func blockWithTrailingBytesIsRefused(byte: UInt8) throws {
        let plain = Self.text(byteCount: 300)
        var block = try Self.block(of: plain)
        block.writeInteger(byte)
        #expect(throws: LZ4Error.malformed) { try LZ4Block.decompress(block, plainByteCount: plain.count) }
        block.writeBytes(try Self.block(of: plain).readableBytesView)
        #expect(throws: LZ4Error.malformed) { try LZ4Block.decompress(block, plainByteCount: plain.count) }
    }

    /// The 512 bytes before and after the buffer must not change.
    @Test(arguments: 0..<20)
    func nothingIsWrittenOutsideTheBuffer(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let honest = Array(try Self.block(of: Self.text(byteCount: 2000)).readableBytesView)
        let guardByteCount = 512
        for round in 0..<500 {
            var block =
                round.isMultiple(of: 2) ? honest : generator.bytes(count: .random(in: 0...80, using: &generator))
            for _ in 0..<3 where !block.isEmpty {
                block[.random(in: block.indices, using: &generator)] = .random(in: .min ... .max, using: &generator)
            }
            let plainByteCount = Int.random(in: 0...2500, using: &generator)
            var space = [UInt8](repeating: 0xA5, count: plainByteCount + 2 * guardByteCount)
            space.withUnsafeMutableBytes { space in
                let plain = UnsafeMutableRawBufferPointer(rebasing: space[guardByteCount...].prefix(plainByteCount))
                block.withUnsafeBytes { _ = LZ4Block.decompress($0, filling: plain) }
            }
            let isIntact = (space.prefix(guardByteCount) + space.suffix(guardByteCount)).allSatisfy { $0 == 0xA5 }
            #expect(isIntact, "seed \(seed), round \(round)")
        }
    }

    /// The `lz4` program's older frame format: a magic number, then the length and the bytes of each block.
    @Test func blocksInteroperateWithTheLZ4Program() async throws {
        try await withTemporaryDirectory("lz4") { directory in
            let plain = Self.text(byteCount: 20_000)
            let magic: UInt32 = 0x184C_2102
            var frame = ByteBuffer()
            let block = try Self.block(of: plain)
            frame.writeMultipleIntegers(magic, UInt32(block.readableBytes), endianness: .little)
            frame.writeImmutableBuffer(block)
            let (ours, theirs) = (directory.file("ours"), directory.file("theirs"))
            try AtomicFile.write(Array(frame.readableBytesView), to: ours, mode: .ownerOnly)
            _ = try await output(of: "lz4", "-d", "-f", ours, directory.file("plain"))
            #expect(try contents(of: directory.file("plain")) == plain)

            _ = try await output(of: "lz4", "-l", "-f", directory.file("plain"), theirs)
            var bytes = ByteBuffer(bytes: try contents(of: theirs))
            let header = bytes.readMultipleIntegers(endianness: .little, as: (UInt32, UInt32).self)
            let (theirMagic, blockByteCount) = try #require(header)
            #expect(theirMagic == magic)
            #expect(bytes.readableBytes == Int(blockByteCount))
            #expect(try Array(LZ4Block.decompress(bytes, plainByteCount: plain.count).readableBytesView) == plain)
        }
    }
}
