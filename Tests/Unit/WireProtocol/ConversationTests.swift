import NIOCore
import Testing
import TransferCoreSupport
import WireProtocol

/// Compares each frame of the conversations (specification §14.1) with its fields and bytes. The tests of the state
/// machines check how the machines react to the frames.
@Suite struct ConversationTests {
    @Test(arguments: try Conversation.all())
    func framesAreTheirFieldsAndTheirBytes(conversation: Conversation) throws {
        for line in conversation.lines {
            guard case .frame(let frame) = line else { continue }
            let outcome = Outcome(feeding: frame.bytes, receiver: frame.receiver)
            #expect(outcome.error == nil)
            var fields = VectorFields(frame.fields)
            #expect(outcome.inbound == (try fields.inbound(of: frame.type)))
            #expect(fields.isAtEnd)
            #expect(try Self.encoded(outcome.inbound) == frame.bytes)
        }
    }

    @Test(arguments: try Conversation.all())
    func connectionsAreMadeBeforeTheyAreUsed(conversation: Conversation) {
        var open: Set<Int> = []
        for line in conversation.lines {
            switch line {
            case .connect(let connection): #expect(open.insert(connection).inserted)
            case .close(let connection, _): #expect(open.remove(connection) != nil)
            case .frame(let frame): #expect(open.contains(frame.connection))
            case .store, .pause, .restart, .drain, .invitation: break
            }
        }
    }

    @Test func namesAreDifferentAndEveryTypeOccurs() throws {
        let conversations = try Conversation.all()
        #expect(conversations.count >= 50)
        #expect(Set(conversations.map(\.name)).count == conversations.count)
        let types = conversations.flatMap(\.lines).compactMap { line in
            if case .frame(let frame) = line { frame.type } else { nil }
        }
        #expect(Set(types) == Set(FrameType.allCases))
    }

    private static func encoded(_ inbound: [Inbound]) throws -> [UInt8] {
        var buffer = ByteBuffer()
        for piece in inbound {
            switch piece {
            case .frame(let slot, let frame): try frame.encode(slot: slot, into: &buffer)
            case .dataBegan(let slot, let header): try header.encode(slot: slot, into: &buffer)
            case .dataBytes(let bytes): buffer.writeImmutableBuffer(bytes)
            case .dataEnded: break
            }
        }
        return Array(buffer.readableBytesView)
    }
}

extension Conversation: CustomTestStringConvertible {
    package var testDescription: String { name }
}
