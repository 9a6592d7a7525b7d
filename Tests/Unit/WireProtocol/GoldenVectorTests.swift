import NIOCore
import Testing
import TransferCommon
import TransferCore
import WireProtocol

@Suite struct GoldenVectorTests {
    @Test(arguments: try FrameVector.load("frames.txt"))
    func fieldsEncodeToTheVectorsBytes(vector: FrameVector) throws {
        var buffer = ByteBuffer()
        switch vector.inbound[0] {
        case .frame(let slot, let frame):
            try frame.encode(slot: slot, into: &buffer)
            #expect(frame.type == vector.type)
        case .dataBegan(let slot, let header):
            try header.encode(slot: slot, into: &buffer)
            guard case .dataBytes(let payload) = vector.inbound[1] else { throw VectorError(reason: vector.name) }
            buffer.writeImmutableBuffer(payload)
        default:
            throw VectorError(reason: vector.name)
        }
        #expect(Array(buffer.readableBytesView) == vector.bytes)
    }

    @Test(arguments: try FrameVector.load("frames.txt") + FrameVector.load("tolerated.txt"))
    func vectorBytesDecodeWholeAndSingly(vector: FrameVector) {
        for receiver in vector.way.receivers {
            let whole = Outcome(feeding: vector.bytes, receiver: receiver)
            #expect(whole.error == nil)
            #expect(whole.inbound == vector.inbound)
            #expect(Outcome(feeding: vector.bytes.map { [$0] }, receiver: receiver) == whole)
        }
    }

    /// For the operator `==` of strings, equivalent spellings are equal. Keys and ETags must keep their exact bytes.
    @Test(arguments: try FrameVector.load("frames.txt"))
    func decodedTextsKeepTheirBytes(vector: FrameVector) throws {
        let receiver = vector.way.receivers[0]
        guard case .frame(let slot, let frame) = Outcome(feeding: vector.bytes, receiver: receiver).inbound.first else {
            return
        }
        #expect(try encoded(frame, slot: slot) == vector.bytes)
    }

    @Test(arguments: try MalformedVector.load())
    func malformedBytesAreRefusedWithTheVectorsCode(vector: MalformedVector) {
        for receiver in vector.way.receivers {
            let whole = Outcome(feeding: vector.bytes, receiver: receiver)
            #expect(whole.error?.code.name == vector.codeName)
            #expect(whole.inbound.isEmpty)
            #expect(Outcome(feeding: vector.bytes.map { [$0] }, receiver: receiver) == whole)
        }
    }

    @Test func everyTypeHasTwoVectorsAndEveryFlagOne() throws {
        let vectors = try FrameVector.load("frames.txt")
        for type in FrameType.allCases {
            let ofType = vectors.filter { $0.type == type }
            #expect(ofType.count >= 2, "\(type)")
            #expect(ofType.allSatisfy { $0.bytes[4] == type.rawValue }, "\(type)")
            #expect(ofType.reduce(0) { $0 | $1.bytes[5] } == type.definedFlags, "\(type)")
        }
    }

    @Test func everyKindOfWireErrorHasAVector() throws {
        let kinds: [WireError] = [
            .frameTooLarge(type: 0, length: 0, maximum: 0), .bodyTooShort(type: .ping, length: 0),
            .trailingBytes(type: .ping, length: 0, unread: 0), .unknownType(0),
            .unknownRequiredField(type: .ping, tag: 0), .reservedBits(type: .ping, flags: 0),
            .badText(type: .ping, field: ""), .badValue(type: .ping, field: ""),
            .badSlot(type: .ping, slot: .connection), .wrongDirection(type: .ping), .badMagic(0),
            .tooManyFields(type: .ping), .badCompression(payloadBytes: 0, plainBytes: 0),
        ]
        let names = Set(try MalformedVector.load().map(\.codeName))
        #expect(Set(kinds.map(\.code.name)) == names)
        for kind in kinds {
            #expect(kind.description.hasPrefix(kind.code.name + ": "))
        }
    }

    @Test func rootVectorsNameOneDigestForEachPart() throws {
        for fields in try Repository.vectors("root.txt", fieldCount: 5) {
            let partBytes = try #require(Int(fields[1]))
            let content = try #require(fields[2] == "-" ? [] : bytesOfHexadecimal(fields[2]))
            let digests = Repository.columns(of: fields[3], separatedBy: ",")
            #expect(digests.count == max(1, (content.count + partBytes - 1) / partBytes))
            #expect(digests.allSatisfy { SHA256Digest($0) != nil })
            #expect(SHA256Digest(fields[4]) != nil)
        }
    }

    @Test func tokenVectorMatchesTheSpecification() throws {
        let lines = try Repository.vectors("token.txt", fieldCount: 2)
        // Only the fields of metadata occur more than once, and this test does not read them.
        let values = Dictionary(lines.map { ($0[0], $0[1]) }, uniquingKeysWith: { first, _ in first })
        let keyID = try #require(values["sealingKeyID"].flatMap { UInt32($0) })
        let front = "01" + hexadecimal([24, 16, 8, 0].map { UInt8(truncatingIfNeeded: keyID >> UInt32($0)) })
        let sealed = try #require(values["sealed"])
        let plainText = try #require(values["plainText"])
        let nonce = try #require(values["nonce"])
        #expect(sealed.hasPrefix(front + nonce))
        #expect(values["associatedData"] == front + hexadecimal("sluice session token".utf8))
        #expect(sealed.count / 2 == 1 + 4 + 12 + plainText.count / 2 + 16)
        // The fields of the plain text follow the key and nonce in order.
        var fields = VectorFields(lines.dropFirst(3).prefix { $0[0] != "plainText" }.map { "\($0[0])=\($0[1])" })
        let token = try fields.sessionToken()
        #expect(fields.isAtEnd)
        #expect(token.encoded.map(hexadecimal) == plainText)
        #expect(SessionToken.read(try #require(bytesOfHexadecimal(plainText))) == .token(token))
    }
}
