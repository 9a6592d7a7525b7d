import NIOCore
import SeededRandom
import Testing
import TransferCommon
import WireProtocol

/// Feeds the decoder with randomly damaged vectors. However the bytes are split, the decoder must return the same
/// frames and the same error. Every accepted frame must be encodable.
@Suite struct FrameDecoderMutationTests {
    private static let executionsPerSeed = 25_000

    @Test(arguments: [Role.agent, .gateway], 1...4 as ClosedRange<UInt64>)
    func damagedStreamsDecodeAlikeInAnyPieces(receiver: Role, seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let vectors = try FrameVector.frames(for: receiver).map(\.bytes).filter { $0.count <= 1_200 }
        var errors: Set<String> = []
        for execution in 0..<Self.executionsPerSeed {
            let bytes = damaged(vectors, using: &generator)
            let whole = Outcome(feeding: bytes, receiver: receiver)
            let pieces = cut(bytes, using: &generator)
            guard Outcome(feeding: pieces, receiver: receiver) == whole else {
                Issue.record("seed \(seed), execution \(execution): \(hexadecimal(bytes))")
                return
            }
            if let error = whole.error { errors.insert(error.code.name) }
            try expectSendable(whole, to: receiver, "seed \(seed), execution \(execution)")
        }
        // The random mutations reach every check of the decoder except *too many fields*, which needs seventeen
        // well-formed fields.
        let unreached: Set = receiver == .agent ? ["bad_magic", "bad_compression"] : []
        let all = Set(try MalformedVector.load().map(\.codeName)).subtracting(unreached)
        #expect(errors.union(["too_many_fields"]) == all)
    }

    /// The encoder and the decoder have the same ranges for fields: a decoded frame can be encoded, and decodes to the
    /// same frame again.
    private func expectSendable(_ outcome: Outcome, to receiver: Role, _ place: String) throws {
        for case .frame(let slot, let frame) in outcome.inbound {
            guard Outcome(feeding: try encoded(frame, slot: slot), receiver: receiver).inbound == [.frame(slot, frame)]
            else {
                Issue.record("\(place): \(frame)")
                continue
            }
        }
    }

    private func damaged(_ vectors: [[UInt8]], using generator: inout SeededGenerator) -> [UInt8] {
        var bytes: [UInt8] = []
        for _ in 0..<Int.random(in: 1...3, using: &generator) {
            var frame = vectors[Int.random(in: 0..<vectors.count, using: &generator)]
            if Bool.random(using: &generator) {
                damage(&frame, using: &generator)
                // A corrected length leads the decoder to the damaged fields. With a wrong length it would only misread
                // the next header.
                if Bool.random(using: &generator), frame.count >= 8 { frame = withLengthFixed(frame) }
            }
            bytes += frame
        }
        for _ in 0..<Int.random(in: 0...2, using: &generator) {
            damage(&bytes, using: &generator)
        }
        return bytes
    }

    private func damage(_ bytes: inout [UInt8], using generator: inout SeededGenerator) {
        guard !bytes.isEmpty else { return }
        // Half of the mutations hit headers and fixed fields.
        let range = Bool.random(using: &generator) ? bytes.indices : 0..<min(bytes.count, 32)
        let index = Int.random(in: range, using: &generator)
        switch Int.random(in: 0..<7, using: &generator) {
        case 0: bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
        case 1: bytes[index] = UInt8.random(in: 0...255, using: &generator)
        case 2: bytes[index] = [0, 1, 0x7F, 0x80, 0xFF][Int.random(in: 0..<5, using: &generator)]
        case 3: bytes.remove(at: index)
        case 4: bytes.insert(UInt8.random(in: 0...255, using: &generator), at: index)
        case 5: bytes.removeSubrange(index...)
        default: bytes += [UInt8.random(in: 0...255, using: &generator) & 0x81, 1, 0, 1, 7]
        }
    }

    private func cut(_ bytes: [UInt8], using generator: inout SeededGenerator) -> [[UInt8]] {
        var pieces: [[UInt8]] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = rest.prefix(Int.random(in: 1...40, using: &generator))
            pieces.append(Array(piece))
            rest = rest.dropFirst(piece.count)
        }
        return pieces
    }
}
