import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

@Suite struct CompleteRuleTests {
    private static let list = GatewayDriver.entries(of: 2_500)

    private static func rule(_ size: UInt64? = 2_500) throws -> CompleteRule {
        CompleteRule(plan: try #require(PartPlan(fileBytes: size, partBytes: 1_000)))
    }

    private static func complete(
        _ size: UInt64 = 2_500, parts: UInt32? = nil, root: SHA256Digest? = nil
    ) -> Complete {
        let whole = GatewayDriver.complete(size)
        return Complete(root: root ?? whole.root, partCount: parts ?? whole.partCount, size: size)
    }

    private static func rootDigest(_ digests: [SHA256Digest]) -> SHA256Digest? { ToyDigest.root(digests) }

    @Test func theNumbersAreThoseOfTheSession() throws {
        for (complete, size, isRight) in [
            (Self.complete(), 2_500, true), (Self.complete(2_400), 2_500, false),
            (Self.complete(parts: 2), 2_500, false), (Self.complete(2_400), nil, true),
            (Self.complete(2_400, parts: 2), nil, false),
        ] as [(Complete, UInt64?, Bool)] {
            let objection = try Self.rule(size).objection(to: complete)
            #expect((objection == nil) == isRight && objection?.code != .rootMismatch)
        }
    }

    @Test func theListIsOneWholeFile() throws {
        let rule = try Self.rule()
        let withoutDigest = Self.list.map { PartListEntry(part: $0.part, size: $0.size, digest: nil, etag: $0.etag) }
        for (list, complete, code) in [
            (Self.list, Self.complete(), nil), (Array(Self.list.dropLast()), Self.complete(), .listInvalid),
            (Self.list.reversed(), Self.complete(), .listInvalid), (withoutDigest, Self.complete(), .listInvalid),
            (Self.list, Self.complete(root: .zero), .rootMismatch),
        ] as [([PartListEntry], Complete, ErrorCode?)] {
            let objection = rule.objection(to: list, of: complete, rootDigest: Self.rootDigest)
            #expect(objection?.code == code)
        }
    }

    @Test func aOnePartFileHasAllItsBytes() throws {
        let offer = try #require(GatewayDriver.offer(1, of: 400))
        let slot = TransferCore.Attachment(connection: ConnectionID(1), slot: Slot(1))
        let rule = try Self.rule(400)
        var part = IncomingPart(offer: offer, owner: slot, flow: FlowID(1), holdsTail: true)
        for (bytes, root, code) in [
            (399, nil, .listInvalid), (1, SHA256Digest.zero, .rootMismatch), (0, nil, nil),
        ] as [(UInt64, SHA256Digest?, ErrorCode?)] {
            #expect(part.receivedBytes(bytes) == true)
            let objection = rule.objection(
                to: part, of: Self.complete(400, root: root), rootDigest: Self.rootDigest)
            #expect(objection?.code == code)
        }
    }
}
