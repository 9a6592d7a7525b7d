import AgentKit
import NIOCore
import SystemSupport
import TestSupport
import Testing
import TransferCommon
import WireProtocol

/// Tests of encoding chunks for the wire.
@Suite
struct ChunkEncoderTests {
    private let text = ByteBuffer(string: String(repeating: "a line that says little\n", count: 4_000))
    private let noise = ByteBuffer(bytes: SeededFile(seed: 1, byteCount: 96_000).bytes)

    private func decoded(
        _ plain: ByteBuffer, _ encoder: ChunkEncoder, mayCompress: Bool = true
    ) throws -> (header: PartDataHeader, plain: ByteBuffer) {
        let part = try #require(PartNumber(2))
        let (head, payload) = try encoder.encode(plain, part: part, offset: 77, slot: Slot(5), mayCompress: mayCompress)
        var decoder = FrameDecoder(receiver: .gateway)
        decoder.append(head)
        decoder.append(payload)
        guard case .dataBegan(let slot, let header) = try decoder.next(),
            case .dataBytes(let bytes) = try decoder.next(),
            case .dataEnded = try decoder.next()
        else { throw WireError.wrongDirection(type: .partData) }
        #expect(slot == Slot(5))
        #expect(header.offset == 77)
        let whole =
            header.isCompressed
            ? try LZ4Block.decompress(bytes, plainByteCount: Int(header.plainBytes)) : bytes
        return (header, whole)
    }

    @Test(arguments: CompressionChoice.allCases)
    func theOtherSideGetsThePlainBytes(choice: CompressionChoice) throws {
        let encoder = ChunkEncoder(choice: choice, compressors: CompressorPool())
        for plain in [text, noise, ByteBuffer(string: "x")] {
            let (header, bytes) = try decoded(plain, encoder)
            #expect(bytes == plain)
            #expect(Int(header.payloadBytes) <= plain.readableBytes)
        }
    }

    @Test func textIsCompressedUnlessThatIsOff() throws {
        for choice in CompressionChoice.allCases {
            let (header, _) = try decoded(text, ChunkEncoder(choice: choice, compressors: CompressorPool()))
            #expect(header.isCompressed == (choice != .never))
        }
    }

    /// A gateway ends a connection that sends compressed chunks without the agreed capability (specification §7.3).
    @Test func nothingIsCompressedWithoutCapability() throws {
        for choice in CompressionChoice.allCases {
            let encoder = ChunkEncoder(choice: choice, compressors: CompressorPool())
            let (header, bytes) = try decoded(text, encoder, mayCompress: false)
            #expect(!header.isCompressed)
            #expect(bytes == text)
        }
    }

    @Test func incompressibleDataPausesCompression() throws {
        let encoder = ChunkEncoder(choice: .auto, compressors: CompressorPool())
        #expect(encoder.compressesNext)
        _ = try decoded(noise, encoder)
        #expect(!encoder.compressesNext)
        var tries = 0
        for _ in 0..<100 {
            if encoder.compressesNext { tries += 1 }
            _ = try decoded(noise, encoder)
        }
        #expect((1...5).contains(tries))
    }
}
