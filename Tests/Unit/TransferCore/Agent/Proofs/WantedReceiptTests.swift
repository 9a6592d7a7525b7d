import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// Receipts of uploads. The agent asks for a receipt in SESSION OPEN and in RESUME QUERY, and keeps it together with
/// the proof. If COMPLETED brings none, the agent asks once more with PROVE.
@Suite struct WantedReceiptTests {
    private static let upload = AgentDriver.upload
    private static let size: UInt64 = 200
    private static let digest = ToyDigest.sha256(GatewayDriver.bytes(1, of: size))
    private static let root = ToyDigest.root([digest])

    private static func driver(wantsReceipt: Bool = true, receiptKey: [UInt8] = AgentProofTests.siteKey) -> AgentDriver
    {
        var driver = AgentDriver()
        var request = UploadRequest(
            id: upload, purpose: .push, key: "file", stamp: AgentDriver.stamp(size: size), policy: .verify,
            partBytesWish: nil, saved: nil, wasStoredBefore: false)
        request.wantsReceipt = wantsReceipt
        driver.change { $0.submit(request, now: $1) }
        AgentProofTests.connect(&driver, receiptKey: receiptKey)
        driver.commit()
        driver.read(size: size)
        driver.frame(AgentDriver.opened(driver.session))
        while !driver.chunks.isEmpty { driver.chunkSent() }
        return driver
    }

    private static func completed(_ session: SessionID, device: String = "device-1") throws -> (Frame, StoredReceipt) {
        let site = AgentDriver.welcome(0).site
        let statement = ReceiptStatement(
            storeIdentity: site.store, siteKey: ToyDigest.sha256(AgentProofTests.siteKey), device: device,
            key: "site/file", session: session, size: size, partBytes: 1_000, evidence: .wholeDigest(digest),
            etag: "e", version: "v", timeMilliseconds: 77)
        let bytes = try statement.encoded()
        let signature = ToyCryptography.signature(of: bytes, by: AgentProofTests.siteKey)
        let completed = Completed(
            size: size, evidence: .wholeDigest(digest), partBytes: 1_000, etag: "e", version: "v", location: "file",
            receipt: ReceiptSignature(timeMilliseconds: 77, bytes: signature))
        let kept = StoredReceipt(statement: bytes, signature: signature, publicKey: AgentProofTests.siteKey)
        return (.completed(completed), kept)
    }

    private static let completedWithout = Frame.completed(
        Completed(
            size: size, evidence: .wholeDigest(digest), partBytes: 1_000, etag: "e", version: "v", location: "file"))

    private static func proven(_ session: SessionID) throws -> Frame {
        guard case (.completed(let completed), _) = try completed(session) else { return completedWithout }
        return .proven(
            .proven(
                ProvenObject(
                    size: size, evidence: completed.evidence, partBytes: 1_000, etag: "e", version: "v",
                    session: session), receipt: completed.receipt))
    }

    private func signed(_ driver: AgentDriver) -> ReceiptOutcome? {
        guard driver.outcomes.count == 1, case .stored(let receipt, _) = driver.outcomes[0] else { return nil }
        return receipt.signed
    }

    private func isProve(_ action: AgentAction) -> Bool {
        if case .send(_, _, .prove) = action { true } else { false }
    }

    // MARK: Asking

    @Test(arguments: [false, true])
    func theFramesThatOpenASlotAskForIt(wants: Bool) {
        for saved in [nil, AgentDriver.saved()] {
            var driver = AgentDriver()
            var request = UploadRequest(
                id: Self.upload, purpose: .push, key: "file", stamp: AgentDriver.stamp, policy: .verify,
                partBytesWish: nil, saved: saved, wasStoredBefore: false)
            request.wantsReceipt = wants
            driver.change { $0.submit(request, now: $1) }
            let sent = frames(driver.welcome() + driver.commit())
            let asks = sent.compactMap { frame -> Bool? in
                switch frame {
                case .sessionOpen(let open): open.asksForReceipt
                case .resumeQuery(let query): query.asksForReceipt
                default: nil
                }
            }
            #expect(asks == [wants])
        }
    }

    // MARK: COMPLETED

    @Test func aReceiptIsWrittenTogetherWithTheProof() throws {
        var driver = Self.driver()
        let (frame, kept) = try Self.completed(driver.session)
        let actions = driver.frame(frame)
        guard case .journal(_, .finished(_, .stored(let receipt, wasThere: false)))? = actions.last else {
            Issue.record("\(actions)")
            return
        }
        #expect(receipt.signed == .kept(kept) && receipt.site == AgentDriver.welcome(0).site)
        driver.commit()
        #expect(signed(driver) == .kept(kept))
    }

    /// The receipt has a bad signature, but the file is stored. PROVE may still bring a valid receipt.
    @Test func invalidSignatureIsReported() throws {
        var driver = Self.driver()
        let (frame, _) = try Self.completed(driver.session, device: "device-2")
        let actions = driver.frame(frame)
        #expect(actions.first == .report(Self.upload, .receiptRefused(.badSignature)))
        #expect(driver.commit().contains(where: isProve))
        driver.frame(
            .proven(
                .unknown(
                    ProvenObject(
                        size: Self.size, evidence: .none, partBytes: 0, etag: "", version: "", session: nil))))
        #expect(signed(driver) == .missing)
    }

    @Test func unwantedReceiptIsNotKept() throws {
        var driver = Self.driver(wantsReceipt: false)
        driver.frame(try Self.completed(driver.session).0)
        #expect(!driver.commit().contains(where: isProve))
        #expect(signed(driver) == .notAskedFor)
    }

    // MARK: PROVE

    @Test func missingReceiptIsRequestedAgain() throws {
        var driver = Self.driver()
        driver.frame(Self.completedWithout)
        let asked = driver.commit()
        let prove = Prove(size: Self.size, partBytes: 1_000, root: Self.root, key: "file", readsBack: false)
        #expect(frames(asked) == [.prove(prove)])
        #expect(driver.outcomes.isEmpty && !driver.machine.isIdle)
        driver.frame(try Self.proven(driver.session))
        driver.commit()
        #expect(signed(driver) == .kept(try Self.completed(driver.session).1))
        #expect(driver.machine.isIdle && driver.machine.slotsInUse == 0)
    }

    @Test(arguments: [
        Frame.proven(.absent),
        .sessionRefused(SessionRefused(code: .keyInvalid, retryAfterMilliseconds: 0, message: "")),
    ])
    func oneAnswerIsEnough(answer: Frame) {
        var driver = Self.driver()
        driver.frame(Self.completedWithout)
        driver.commit()
        driver.frame(answer)
        #expect(signed(driver) == .missing && driver.machine.isIdle)
    }

    /// The file is stored in any case, so the agent asks a busy gateway for the receipt only three times.
    @Test func deferredReceiptIsRequestedThreeTimes() {
        var driver = Self.driver()
        driver.frame(Self.completedWithout)
        driver.commit()
        for attempt in 1...3 {
            #expect(driver.outcomes.isEmpty, "\(attempt)")
            driver.frame(.sessionRefused(SessionRefused(code: .busy, retryAfterMilliseconds: 0, message: "")))
            driver.tick(after: .seconds(2))
        }
        #expect(signed(driver) == .missing)
    }

    @Test func gatewayWithoutReceiptsIsNotAsked() {
        var driver = Self.driver(receiptKey: [])
        driver.frame(Self.completedWithout)
        #expect(!driver.commit().contains(where: isProve))
        #expect(signed(driver) == .missing)
    }

    @Test func stopEndsTheRequest() {
        var driver = Self.driver()
        driver.frame(Self.completedWithout)
        driver.commit()
        driver.change { $0.stop(now: $1) }
        #expect(signed(driver) == .missing)
    }

    /// The key already holds the object, so no COMPLETED arrives that could bring a receipt. The agent asks for it by
    /// PROVE.
    @Test func storedFileGetsItsReceiptByProve() throws {
        var driver = Self.driver()
        driver.frame(
            .sessionExists(
                SessionExists(
                    size: Self.size, partBytes: 0, evidence: .wholeDigest(Self.digest), etag: "e", version: "v",
                    session: SessionID(high: 3, low: 3))))
        let reading = EvidenceReading.computed(.wholeDigest(Self.digest), stamp: AgentDriver.stamp(size: Self.size))
        driver.change { $0.evidenceComputed(reading, of: Self.upload, now: $1) }
        let prove = Prove(size: Self.size, partBytes: Self.size, root: Self.root, key: "file", readsBack: false)
        #expect(frames(driver.commit()) == [.prove(prove)])
    }

    // MARK: The site

    /// The agent saves the site only when something about it has changed, not for each connection.
    @Test func newSiteIsRecorded() {
        var driver = AgentDriver()
        driver.submit(size: 10)
        let site = AgentDriver.welcome(0).site
        #expect(!driver.welcome().contains { if case .journal(_, .site) = $0 { true } else { false } })
        _ = driver.connectionLost()
        driver.tick(after: .seconds(1))
        guard let id = driver.connections.last else { return }
        driver.change { $0.connected(id, now: $1) }
        let other = Welcome(
            version: 1, capabilities: [], slotsMax: 8, chunkBytesMax: 256, initialCreditBytes: 0, partBytesMin: 16,
            partBytesMax: 100_000, partBytesDefault: 1_000, partsMax: 10_000, objectBytesMax: 1 << 40,
            putLimitMilliseconds: 30_000, idleLimitMilliseconds: 60_000, serverTime: 0, software: "g",
            deviceName: site.device, prefix: "other/", storeIdentity: site.store)
        let actions = driver.change { $0.receivedFrame(.welcome(other), slot: .connection, from: id, now: $1) }
        #expect(actions.contains { if case .journal(_, .site(other.site)) = $0 { true } else { false } })
    }
}
