import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// Answers of a store that no frame can carry, or that the gateway could mistake for something else. Fuzzing found each
/// of these cases.
@Suite struct StoreWordsTests {
    private func opened(size: UInt64 = 2_500) -> GatewayDriver {
        var driver = GatewayDriver()
        driver.connect()
        driver.frame(.sessionOpen(GatewayDriver.open(size: size)))
        for answer in [.object(nil), .records([]), .done, .uploadCreated(upload: "upload-1"), .done] as [StoreAnswer] {
            driver.answer(answer)
        }
        return driver
    }

    private func expectSendable(_ actions: [GatewayAction]) {
        let sent = frames(actions)
        #expect(!sent.isEmpty)
        for frame in sent { #expect(frame.isEncodable(slot: GatewayDriver.slot), "\(frame.type)") }
    }

    @Test(arguments: ["", String(repeating: "e", count: 1_025)])
    func partWithAnUnsendableETagIsRefused(etag: String) throws {
        var driver = opened()
        driver.frame(.partOffer(try #require(GatewayDriver.offer(1, of: 2_500))))
        expectSendable(driver.answer(.partStored(etag: etag)))
    }

    @Test func repeatedlyNamedPartIsRequestedOnce() throws {
        var driver = opened()
        driver.frame(.partList(PartList(entries: GatewayDriver.entries(of: 2_500), isLast: true)))
        driver.frame(.complete(GatewayDriver.complete(2_500)))
        driver.answer(.parts(GatewayDriver.entries(of: 2_500)))
        let named = [2, 1, 2, 9_999, .max].compactMap { PartNumber($0) }
        let actions = driver.answer(.failed(.partsInvalid(named)))
        let wanted = [1, 2].compactMap { PartNumber($0) }
        #expect(frames(actions) == [.partsWanted(PartsWanted(parts: wanted))])
    }

    @Test func oversizedNamesOfAnObjectAreLeftOut() {
        var driver = GatewayDriver()
        driver.connect()
        driver.frame(.sessionOpen(GatewayDriver.open(size: 2_500)))
        let name = String(repeating: "n", count: 9_000)
        let object = ObjectSummary(
            size: 2_500, partBytes: 1_000, evidence: .compositeMD5(name), etag: name, version: name, session: nil)
        expectSendable(driver.answer(.object(object)))
    }

    @Test func anUploadWithoutAnIdIsNoUpload() {
        var driver = GatewayDriver()
        driver.connect()
        driver.frame(.sessionOpen(GatewayDriver.open(size: 2_500)))
        for answer in [.object(nil), .records([]), .done] as [StoreAnswer] { driver.answer(answer) }
        let sent = frames(driver.answer(.uploadCreated(upload: "")))
        #expect(sent.contains { if case .sessionRefused = $0 { true } else { false } })
    }

    /// The gateway must refuse the token of a session of several parts if the token has no upload id. Otherwise the
    /// gateway would store a part as an object of its own under the file's key, in place of the whole file.
    @Test func multipartTokenNeedsAnUpload() {
        var driver = GatewayDriver()
        driver.connect()
        let query = ResumeQuery(listedParts: 0, token: GatewayDriver.token(upload: ""))
        guard case .sessionRefused(let refused) = frames(driver.frame(.resumeQuery(query))).first else {
            Issue.record("the token was taken")
            return
        }
        #expect(refused.code == .tokenInvalid)
        #expect(driver.requests.isEmpty)
    }

    /// A session record lacks the part size. If the gateway offered the session of this record for adoption, it would
    /// later refuse the session's token, and offer the same session to the agent again and again.
    @Test func aRecordWithoutAPartSizeIsNotOffered() {
        var driver = GatewayDriver()
        driver.connect()
        driver.frame(.sessionOpen(GatewayDriver.open(size: 2_500)))
        driver.answer(.object(nil))
        var terms = GatewayDriver.terms()
        terms.partBytes = 0
        let record = SessionRecord(
            device: GatewayDriver.device.name, session: SessionID(high: 2, low: 2), terms: terms, upload: "upload-2")
        #expect(frames(driver.answer(.records([record]))).isEmpty)
        guard case .writeRecord(let facts) = driver.requests.first?.request else {
            Issue.record("no session of its own was begun")
            return
        }
        #expect(facts.session == GatewayDriver.session)
    }

    /// A store that asks for a very long pause must not keep a session waiting for longer than a few minutes.
    @Test func aStoreIsNotWaitedForLongerThanMinutes() {
        var driver = opened()
        driver.frame(.partList(PartList(entries: GatewayDriver.entries(of: 2_500), isLast: true)))
        driver.frame(.complete(GatewayDriver.complete(2_500)))
        driver.answer(.failed(.unavailable(retryAfter: .seconds(Int64.max))))
        driver.tick(after: .seconds(300))
        #expect(!driver.requests.isEmpty)
    }
}
