import Testing
import TransferCommon
import TransferCore
import WireProtocol

@Suite struct SessionTargetTests {
    private static let slot = TransferCore.Attachment(connection: ConnectionID(1), slot: Slot(1))

    @Test func looksEndTheSessionOrLeaveItFree() throws {
        let (own, foreign) = (GatewayDriver.object(), GatewayDriver.object(session: nil))
        var target = try SessionEndingTests.target()
        #expect(target.judge(nil) == nil)
        #expect(target.judge(foreign) == .exists(foreign))
        guard case .settle(let receipt, 2_500, leavesUpload: false) = target.judge(own) else {
            Issue.record("the session's own object does not settle it")
            return
        }
        #expect(receipt.etag == "e" && !receipt.isVerified)
        var replacing = try SessionEndingTests.target(condition: .any)
        #expect(replacing.judge(foreign) == nil)
    }

    /// If the first look at the key finds an object of the file's size, the agent compares the two before it sends
    /// data. A later look must not ask for that again.
    @Test func onlyTheFirstLookIsCompared() throws {
        let foreign = GatewayDriver.object(session: nil)
        var target = try SessionEndingTests.target(condition: .any, compares: true)
        #expect(target.judge(foreign, isFirst: true) == .exists(foreign))
        #expect(target.judge(foreign) == nil)
    }

    @Test func onePartBecomesTheObjectAndSeveralBecomePartsOfAnUpload() throws {
        for (size, upload) in [(2_500, "upload-1"), (400, nil)] as [(UInt64, String?)] {
            let target = try SessionEndingTests.target(size: size, upload: upload)
            let offer = try #require(GatewayDriver.offer(1, of: size))
            let part = IncomingPart(offer: offer, owner: Self.slot, flow: FlowID(3), holdsTail: upload == nil)
            let bytes = PartBytes(flow: FlowID(3), size: offer.size, digest: offer.digest, md5: nil)
            let request: StoreRequest =
                if let upload {
                    .storePart(key: "site/file", upload: upload, part: offer.part, bytes: bytes)
                } else {
                    .storeObject(
                        key: "site/file", metadata: target.facts.objectMetadata, bytes: bytes, condition: .ifAbsent)
                }
            #expect(target.storing(part) == request)
        }
    }

    /// The candidates with the lowest session ids come first.
    @Test func candidatesHaveEqualTermsAndAreNotBusy() throws {
        let target = try SessionEndingTests.target(upload: nil)
        func record(_ session: UInt64, size: UInt64 = 2_500, upload: String? = "u") -> SessionRecord {
            SessionRecord(
                device: GatewayDriver.device.name, session: SessionID(high: session, low: session),
                terms: GatewayDriver.terms(size: size), upload: upload)
        }
        let records = [
            record(5), record(4), record(3, size: 2_400), record(1), record(6, upload: nil), record(7), record(2),
        ]
        let busy: Set<SessionID> = [SessionID(high: 4, low: 4)]
        let candidates = target.candidates(among: records, except: busy, probesMax: 2)
        #expect(candidates.map(\.record) == [record(2), record(5)])
    }
}
