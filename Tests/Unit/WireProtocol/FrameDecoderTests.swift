import NIOCore
import Testing
import TransferCommon
import WireProtocol

/// The decoder gives the same frames however the network splits the bytes. If bytes are missing, it waits for them.
@Suite struct FrameDecoderSplittingTests {
    @Test(arguments: [Role.agent, .gateway])
    func allVectorsInOneStreamDecodeInOrder(receiver: Role) throws {
        let vectors = try FrameVector.frames(for: receiver)
        let stream = vectors.flatMap(\.bytes)
        let expected = vectors.flatMap(\.inbound)
        #expect(Outcome(feeding: stream, receiver: receiver).inbound == expected)
        #expect(Outcome(feeding: stream.map { [$0] }, receiver: receiver).inbound == expected)
    }

    /// Splits the stream of all vectors of up to 256 bytes at every position. The next test splits longer vectors,
    /// together with those beside them.
    @Test(arguments: [Role.agent, .gateway])
    func anySplitPositionChangesNothing(receiver: Role) throws {
        let vectors = try FrameVector.frames(for: receiver).filter { $0.bytes.count <= 256 }
        let stream = ByteBuffer(bytes: vectors.flatMap(\.bytes))
        let expected = vectors.flatMap(\.inbound)
        for position in 0...stream.readableBytes {
            try expectSplit(of: stream, at: position, receiver: receiver, gives: expected)
        }
    }

    @Test(arguments: [Role.agent, .gateway])
    func anySplitOfTwoFramesChangesNothing(receiver: Role) throws {
        let vectors = try FrameVector.frames(for: receiver)
        for (first, second) in zip(vectors, vectors.dropFirst()) where first.bytes.count + second.bytes.count > 256 {
            let stream = ByteBuffer(bytes: first.bytes + second.bytes)
            for position in 0...stream.readableBytes {
                try expectSplit(of: stream, at: position, receiver: receiver, gives: first.inbound + second.inbound)
            }
        }
    }

    @Test(arguments: try FrameVector.load("frames.txt") + FrameVector.load("tolerated.txt"))
    func truncatedFrameIsWaitedFor(vector: FrameVector) throws {
        let bytes = ByteBuffer(bytes: vector.bytes)
        for receiver in vector.way.receivers {
            for count in 0..<vector.bytes.count {
                var decoder = FrameDecoder(receiver: receiver)
                let begun = Outcome(feeding: [try #require(bytes.getSlice(at: 0, length: count))], to: &decoder)
                #expect(begun.error == nil)
                #expect(!begun.inbound.contains(try #require(vector.inbound.last)))
                #expect(try decoder.next() == nil)
                let rest = try #require(bytes.getSlice(at: count, length: vector.bytes.count - count))
                let ended = Outcome(feeding: [rest], to: &decoder)
                #expect(ended.error == nil)
                #expect(ended.inbound.last == vector.inbound.last)
            }
        }
    }

    private func expectSplit(
        of stream: ByteBuffer, at position: Int, receiver: Role, gives expected: [Inbound]
    ) throws {
        let head = try #require(stream.getSlice(at: 0, length: position))
        let tail = try #require(stream.getSlice(at: position, length: stream.readableBytes - position))
        var decoder = FrameDecoder(receiver: receiver)
        let outcome = Outcome(feeding: [head, tail], to: &decoder)
        guard outcome.error == nil, outcome.inbound == expected, decoder.bufferedBytes == 0 else {
            Issue.record("split at \(position): \(String(describing: outcome.error))")
            return
        }
    }
}

/// The decoder refuses bytes that are not a frame, with a separate error for each kind.
@Suite struct FrameDecoderRefusalTests {
    @Test(arguments: try FrameVector.load("frames.txt").filter { !$0.isCompressedData && $0.bytes.count > 8 })
    func shortenedBodyIsTooShort(vector: FrameVector) {
        for count in WireLimits.headerBytes..<vector.bytes.count {
            let outcome = Outcome(
                feeding: withLengthFixed(Array(vector.bytes[..<count])), receiver: vector.way.receivers[0])
            let length = count - WireLimits.headerBytes
            #expect(outcome == Outcome(error: .bodyTooShort(type: vector.type, length: length)))
        }
    }

    @Test(arguments: try FrameVector.load("frames.txt").filter { !$0.isCompressedData })
    func lengthenedBodyHasTrailingBytes(vector: FrameVector) {
        for count in 1...3 {
            let bytes = withLengthFixed(vector.bytes + Array(repeating: 0, count: count))
            let length = bytes.count - WireLimits.headerBytes
            #expect(
                Outcome(feeding: bytes, receiver: vector.way.receivers[0])
                    == Outcome(error: .trailingBytes(type: vector.type, length: length, unread: count)))
        }
    }

    @Test(arguments: [Role.agent, .gateway])
    func headerAloneIsRefusedForTypeDirectionAndSlot(receiver: Role) {
        for number in UInt8.min...UInt8.max {
            for slot in [Slot.connection, Slot(1), Slot(.max)] {
                // The test sends only the header. If the decoder accepts the header, it waits for the body.
                let header = [0, 0, 0, 1, number, 0, UInt8(slot.value >> 8), UInt8(truncatingIfNeeded: slot.value)]
                let error: WireError? =
                    if let type = FrameType(rawValue: number) {
                        expectedError(type: type, slot: slot, receiver: receiver)
                    } else {
                        .unknownType(number)
                    }
                #expect(Outcome(feeding: header, receiver: receiver) == Outcome(error: error))
            }
        }
    }

    @Test(arguments: FrameType.allCases)
    func everyUndefinedFlagIsRefused(type: FrameType) {
        let slot = type.scope == .session ? UInt16(1) : 0
        for bit in 0..<8 {
            let flags = UInt8(1) << UInt8(bit)
            let body = [UInt8](repeating: 0, count: 17)
            let bytes = rawFrame(type: type.rawValue, flags: flags, slot: slot, body: body)
            let error = Outcome(feeding: bytes, receiver: receiver(of: type)).error
            #expect((error == .reservedBits(type: type, flags: flags)) == (type.definedFlags & flags == 0))
        }
    }

    @Test(arguments: FrameType.allCases)
    func lengthIsCheckedBeforeTheBody(type: FrameType) {
        let slot: UInt8 = type.scope == .session ? 1 : 0
        let length = UInt32(type.bodyBytesMax)
        func outcome(length: UInt32) -> Outcome {
            let bytes = [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: length >> UInt32($0)) }
            return Outcome(
                feeding: bytes + [type.rawValue, type.requiredFlags, 0, slot], receiver: receiver(of: type))
        }
        #expect(outcome(length: length) == Outcome())
        for tooLong in [length + 1, UInt32.max] {
            #expect(
                outcome(length: tooLong)
                    == Outcome(
                        error: .frameTooLarge(
                            type: type.rawValue, length: Int(tooLong), maximum: type.bodyBytesMax)))
        }
    }

    @Test func tighterMaximumCountsUntilRemoved() throws {
        var decoder = FrameDecoder(receiver: .gateway)
        decoder.bodyBytesMax = WireLimits.bodyBytesBeforeHelloMax
        let query = try encoded(.resumeQuery(ResumeQuery(listedParts: 0, token: Array(repeating: 7, count: 2_000))))
        var refusing = decoder
        #expect(
            Outcome(feeding: [ByteBuffer(bytes: query)], to: &refusing)
                == Outcome(error: .frameTooLarge(type: 0x30, length: 2_006, maximum: 1_024)))
        var skipping = decoder
        #expect(
            Outcome(feeding: [ByteBuffer(bytes: rawFrame(type: 0x7F, flags: 0x80, body: query))], to: &skipping)
                == Outcome(error: .frameTooLarge(type: 0x7F, length: 2_014, maximum: 1_024)))

        decoder.append(ByteBuffer(bytes: try encoded(.ping(Ping(nonce: 1)), slot: .connection) + query))
        #expect(try decoder.next() == .frame(.connection, .ping(Ping(nonce: 1))))
        decoder.bodyBytesMax = nil
        guard case .frame(Slot(1), .resumeQuery) = try decoder.next() else {
            Issue.record("refused after the maximum was taken away")
            return
        }
    }

    @Test func staysFailedAndKeepsNothing() throws {
        var decoder = FrameDecoder(receiver: .gateway)
        let ping = ByteBuffer(bytes: try encoded(.ping(Ping(nonce: 1)), slot: .connection))
        decoder.append(ping)
        decoder.append(ByteBuffer(bytes: rawFrame(type: 0x7F)))
        decoder.append(ping)
        #expect(try decoder.next() == .frame(.connection, .ping(Ping(nonce: 1))))
        for _ in 0..<3 {
            #expect(throws: WireError.unknownType(0x7F)) { try decoder.next() }
            #expect(decoder.bufferedBytes == 0)
            decoder.append(ping)
        }
    }

    private func expectedError(type: FrameType, slot: Slot, receiver: Role) -> WireError? {
        let isForReceiver = type.direction == .both || (type.direction == .agentToGateway) == (receiver == .gateway)
        guard isForReceiver else { return .wrongDirection(type: type) }
        guard type.requiredFlags == 0 else { return .reservedBits(type: type, flags: 0) }
        let isInItsSlot = type.scope == .any || (type.scope == .connection) == (slot == .connection)
        guard isInItsSlot else { return .badSlot(type: type, slot: slot) }
        return type == .partData ? .bodyTooShort(type: type, length: 1) : nil
    }

    private func receiver(of type: FrameType) -> Role {
        type.direction == .gatewayToAgent ? .agent : .gateway
    }
}

/// The decoder skips optional types and fields that version 1 does not know.
@Suite struct ExtensionTests {
    private static let ping = [UInt8](repeating: 0, count: 7) + [9]
    private static let pingInbound = Inbound.frame(.connection, .ping(Ping(nonce: 9)))

    @Test(arguments: 0...18)
    func upToSixteenOptionalFieldsAreSkipped(count: Int) {
        // The longest body of HELLO would have room for more extension fields than the protocol allows, so the number
        // of fields needs a limit of its own.
        let hello = Hello(
            versionMin: 1, versionMax: 1, capabilities: [], fingerprint: .zero, run: RunID(high: 1, low: 2),
            software: "")
        // try?: a failed encoding is recorded as the test's failure.
        guard let bytes = try? encoded(.hello(hello), slot: .connection) else {
            Issue.record("HELLO was not encoded")
            return
        }
        let fields = (0..<count).flatMap { [0x7F, UInt8($0), 0, 1, 0xEE] as [UInt8] }
        let outcome = Outcome(feeding: withLengthFixed(bytes + fields), receiver: .gateway)
        let expected =
            count <= 16
            ? Outcome(inbound: [.frame(.connection, .hello(hello))])
            : Outcome(error: .tooManyFields(type: .hello))
        #expect(outcome == expected)
    }

    @Test(arguments: [0x8000, 0x8001, 0xFFFF] as [UInt16])
    func requiredFieldIsRefusedWhereverItStands(tag: UInt16) {
        let required = [UInt8(tag >> 8), UInt8(truncatingIfNeeded: tag), 0, 0]
        let optional: [UInt8] = [0, 1, 0, 2, 5, 6]
        for fields in [required, optional + required, required + optional, optional + optional + required] {
            #expect(
                Outcome(feeding: rawFrame(type: 0x03, body: Self.ping + fields), receiver: .gateway)
                    == Outcome(error: .unknownRequiredField(type: .ping, tag: tag)))
        }
    }

    @Test func fieldEndingBeyondTheBodyIsTooShort() {
        for count in 1...3 {
            let body = Self.ping + [0, 1, 0, 3] + [UInt8](repeating: 0, count: 3 - count)
            #expect(
                Outcome(feeding: rawFrame(type: 0x03, body: body), receiver: .agent)
                    == Outcome(error: .bodyTooShort(type: .ping, length: body.count)))
        }
    }

    @Test(arguments: [0, 1, 7, 8, 9, 65_536])
    func unknownFrameWithBitSevenIsSkipped(length: Int) {
        let unknown = rawFrame(
            type: 0x7F, flags: 0xFF, slot: 0xFFFF, body: [UInt8](repeating: 0xAB, count: length))
        let ping = rawFrame(type: 0x03, body: Self.ping)
        for receiver in [Role.agent, .gateway] {
            #expect(
                Outcome(feeding: unknown + ping + unknown + ping, receiver: receiver)
                    == Outcome(inbound: [Self.pingInbound, Self.pingInbound]))
        }
    }

    @Test func unknownFrameBeyondTheMaximumIsRefused() {
        #expect(
            Outcome(feeding: [0, 1, 0, 1, 0x7F, 0x80, 0, 0], receiver: .agent)
                == Outcome(error: .frameTooLarge(type: 0x7F, length: 65_537, maximum: 65_536)))
    }

    @Test func skippedFrameIsNotHeld() throws {
        var decoder = FrameDecoder(receiver: .agent)
        let unknown = rawFrame(type: 0x7F, flags: 0x80, body: [UInt8](repeating: 1, count: 65_536))
        decoder.append(ByteBuffer(bytes: unknown[..<8]))
        for start in stride(from: 8, to: unknown.count, by: 1_000) {
            decoder.append(ByteBuffer(bytes: unknown[start..<min(start + 1_000, unknown.count)]))
            #expect(try decoder.next() == nil)
            #expect(decoder.bufferedBytes == 0)
        }
        decoder.append(ByteBuffer(bytes: rawFrame(type: 0x03, body: Self.ping)))
        #expect(try decoder.next() == Self.pingInbound)
    }
}

extension Outcome {
    fileprivate init(inbound: [Inbound] = [], error: WireError? = nil) {
        self.inbound = inbound
        self.error = error
    }
}
