import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// The agent asks a gateway with PROVE whether the store holds a file (`AgentProof`, specification §9.6).
@Suite struct AgentProofTests {
    static let size: UInt64 = 2_500
    static let root = ToyDigest.sha256([7])
    static let siteKey: [UInt8] = [1, 2, 3]
    private static let id = UploadID(5)

    static func welcome(receiptKey: [UInt8] = siteKey) -> Frame {
        var plain = AgentDriver.welcome(500)
        plain = Welcome(
            version: 1, capabilities: [], slotsMax: 8, chunkBytesMax: 256, initialCreditBytes: 500, partBytesMin: 16,
            partBytesMax: 100_000, partBytesDefault: 1_000, partsMax: 10_000, objectBytesMax: 1 << 40,
            putLimitMilliseconds: 30_000, idleLimitMilliseconds: 60_000, serverTime: 0, software: "g",
            deviceName: plain.deviceName, prefix: plain.prefix, storeIdentity: plain.storeIdentity,
            receiptKey: receiptKey)
        return .welcome(plain)
    }

    /// A driver that has sent PROVE.
    static func driver(partBytes: UInt64? = 1_000, root: SHA256Digest? = root, readsBack: Bool = false) -> AgentDriver {
        var driver = AgentDriver()
        ask(&driver, partBytes: partBytes, root: root, readsBack: readsBack)
        connect(&driver)
        return driver
    }

    @discardableResult
    static func ask(
        _ driver: inout AgentDriver, partBytes: UInt64? = 1_000, root: SHA256Digest? = root, readsBack: Bool = false
    ) -> [AgentAction] {
        let request = ProofRequest(
            id: id, key: "file", stamp: AgentDriver.stamp(size: size), partBytes: partBytes, root: root,
            readsBack: readsBack)
        return driver.change { $0.prove(request, now: $1) }
    }

    @discardableResult
    static func connect(
        _ driver: inout AgentDriver, by gateway: GatewayProof? = nil, receiptKey: [UInt8] = siteKey
    ) -> [AgentAction] {
        guard let id = driver.connections.last else { return [] }
        driver.change { $0.connected(id, by: gateway, now: $1) }
        return driver.change {
            $0.receivedFrame(welcome(receiptKey: receiptKey), slot: .connection, from: id, now: $1)
        }
    }

    private static func object(
        size: UInt64 = size, _ evidence: ContentEvidence = .root(root), session: SessionID? = nil
    ) -> ProvenObject {
        ProvenObject(size: size, evidence: evidence, partBytes: 1_000, etag: "e", version: "v", session: session)
    }

    private static func statement(_ object: ProvenObject, device: String = "device-1") -> ReceiptStatement {
        let site = AgentDriver.welcome(0).site
        return ReceiptStatement(
            storeIdentity: site.store, siteKey: ToyDigest.sha256(siteKey), device: device, key: "site/file",
            session: object.session ?? SessionID(high: 0, low: 0), size: object.size, partBytes: object.partBytes,
            evidence: object.evidence, etag: object.etag, version: object.version, timeMilliseconds: 77)
    }

    private static func signature(_ statement: ReceiptStatement) throws -> ReceiptSignature {
        let bytes = ToyCryptography.signature(of: try statement.encoded(), by: siteKey)
        return try #require(ReceiptSignature(timeMilliseconds: 77, bytes: bytes))
    }

    // MARK: Asking

    @Test func knownDigestIsAskedAtOnce() throws {
        var driver = AgentDriver()
        #expect(Self.ask(&driver) == [.connect(ConnectionID(1))])
        let prove = Prove(size: Self.size, partBytes: 1_000, root: Self.root, key: "file", readsBack: false)
        #expect(Self.connect(&driver) == [.send(ConnectionID(1), Slot(1), .prove(prove))])
        let doubt = AgentAction.journal(JournalSequence(1), .doubted(key: "file"))
        #expect(driver.frame(.proven(.absent)) == [doubt, .answered(Self.id, .absent)])
        #expect(driver.machine.isIdle && driver.machine.slotsInUse == 0)
    }

    /// The gateway closes a connection on which it hears nothing. So the agent sends PING even when it has nothing to
    /// do.
    @Test func idleAgentKeepsItsConnectionAlive() throws {
        var driver = AgentDriver()
        _ = Self.ask(&driver)
        _ = Self.connect(&driver)
        _ = driver.frame(.proven(.absent))
        #expect(driver.machine.isIdle)
        let deadline = try #require(driver.machine.nextDeadline)
        #expect(deadline == driver.now + .seconds(20), "a third of the idle limit")
        let actions = driver.tick(after: .seconds(20))
        #expect(actions.contains { if case .send(_, .connection, .ping) = $0 { true } else { false } })
    }

    /// With a known part size the agent reads the file before it has a connection; otherwise it waits for the gateway's
    /// part size.
    @Test(arguments: [100, nil] as [UInt64?])
    func theFileIsReadForItsDigest(partBytes: UInt64?) throws {
        var driver = AgentDriver()
        var actions = Self.ask(&driver, partBytes: partBytes, root: nil)
        #expect(actions.count == (partBytes == nil ? 1 : 2))
        actions += Self.connect(&driver)
        let taken = partBytes ?? 1_000
        #expect(actions.contains(.computeEvidence(Self.id, bytes: Self.size, partBytes: taken, like: .root(.zero))))
        let reading = EvidenceReading.computed(.root(Self.root), stamp: AgentDriver.stamp(size: Self.size))
        let asked = driver.change { $0.evidenceComputed(reading, of: Self.id, now: $1) }
        let prove = Prove(size: Self.size, partBytes: taken, root: Self.root, key: "file", readsBack: false)
        #expect(frames(asked) == [.prove(prove)])
    }

    @Test func changingFileIsNotAskedAbout() {
        var driver = Self.driver(root: nil)
        let reading = EvidenceReading.computed(.root(Self.root), stamp: AgentDriver.stamp(size: 9))
        driver.change { $0.evidenceComputed(reading, of: Self.id, now: $1) }
        guard case .failed(let failure)? = driver.answers.first else {
            Issue.record("\(driver.answers)")
            return
        }
        #expect(failure.kind == .changed && driver.machine.isIdle)
    }

    @Test func gatewaysAnswerIsReported() {
        let answers: [(Proven, ProofOutcome)] = [
            (.absent, .absent), (.different(Self.object(size: 9)), .different(size: 9)),
            (.unknown(Self.object(.none)), .unknown), (.proven(Self.object(), receipt: nil), .proven(.missing)),
        ]
        for (proven, outcome) in answers {
            var driver = Self.driver()
            let actions = driver.frame(.proven(proven))
            #expect(driver.answers == [outcome])
            // If the key holds no object or another one, the next push must not skip the file because of its stamp.
            let isDoubted = actions.contains { if case .journal(_, .doubted(key: "file")) = $0 { true } else { false } }
            #expect(isDoubted == (outcome == .absent || outcome == .different(size: 9)))
            // If the object is the file, the journal gets a proof, so that `check` knows it without a gateway.
            let proofs = actions.compactMap { action -> UploadReceipt? in
                if case .journal(_, .proved(key: "file", let proof)) = action { proof } else { nil }
            }
            #expect(proofs.count == (outcome == .proven(.missing) ? 1 : 0))
            for proof in proofs {
                #expect(proof.size == Self.size && proof.root == Self.root && proof.partBytes == 1_000)
                #expect(proof.stamp == AgentDriver.stamp(size: Self.size) && proof.site == AgentDriver.welcome(0).site)
                #expect(!proof.stampCounts, "the request does not say that the stamp counts")
            }
        }
    }

    private static let contradictions: [(UInt64, ContentEvidence)] = [
        (2_500, .root(ToyDigest.sha256([8]))), (2_501, .root(root)), (2_500, .none), (2_500, .compositeMD5("x-3")),
        (2_500, .wholeDigest(ToyDigest.sha256([7]))),
    ]

    @Test(arguments: contradictions)
    func aGatewayThatContradictsItselfProvesNothing(size: UInt64, evidence: ContentEvidence) {
        var driver = Self.driver()
        driver.frame(.proven(.proven(Self.object(size: size, evidence), receipt: nil)))
        guard case .failed(let failure)? = driver.answers.first else {
            Issue.record("\(driver.answers)")
            return
        }
        #expect(failure.kind == .protocolViolation && !failure.message.isEmpty)
    }

    @Test func wholeDigestProvesAOnePartFile() {
        let whole = ToyDigest.sha256([9])
        var driver = Self.driver(partBytes: 4_000, root: ToyDigest.root([whole]))
        driver.frame(.proven(.proven(Self.object(.wholeDigest(whole)), receipt: nil)))
        #expect(driver.answers == [.proven(.missing)])
    }

    // MARK: Receipts

    /// The actions without the journal write that keeps a proof of the file; `JournalTests` is about that write.
    private static func withoutProofs(_ actions: [AgentAction]) -> [AgentAction] {
        actions.filter { if case .journal(_, .proved) = $0 { false } else { true } }
    }

    @Test(arguments: [nil, SessionID(high: 1, low: 2)])
    func receiptIsKeptBeforeTheAnswer(session: SessionID?) throws {
        let object = Self.object(session: session)
        var driver = Self.driver()
        let statement = Self.statement(object)
        let signature = try Self.signature(statement)
        let kept = StoredReceipt(
            statement: try statement.encoded(), signature: signature.bytes, publicKey: Self.siteKey)
        let written = driver.frame(.proven(.proven(object, receipt: signature)))
        #expect(written == [.journal(JournalSequence(1), .receipt(kept))])
        #expect(Self.withoutProofs(driver.commit()) == [.answered(Self.id, .proven(.kept(kept)))])
        #expect(driver.machine.isIdle)
    }

    @Test func aSignatureOfSomethingElseIsNoReceipt() throws {
        let object = Self.object()
        var driver = Self.driver()
        let signature = try Self.signature(Self.statement(object, device: "device-2"))
        let actions = Self.withoutProofs(driver.frame(.proven(.proven(object, receipt: signature))))
        #expect(
            actions == [.report(Self.id, .receiptRefused(.badSignature)), .answered(Self.id, .proven(.missing))])
    }

    /// The agent accepts a receipt only if it is signed with the key that the gateway proved in the handshake. If it is
    /// signed with another key, the agent reports that, but only the first time.
    @Test func receiptByAnUnprovedKeyIsNotKept() throws {
        let signature = try Self.signature(Self.statement(Self.object()))
        for isSame in [true, false] {
            let key = isSame ? ToyDigest.sha256(Self.siteKey) : ToyDigest.sha256([9])
            let gateway = GatewayProof(fingerprint: key, certificates: [[4], [5]])
            var driver = AgentDriver()
            Self.ask(&driver)
            Self.connect(&driver, by: gateway)
            let actions = driver.frame(.proven(.proven(Self.object(), receipt: signature)))
            guard isSame else {
                #expect(actions.first == .report(Self.id, .receiptRefused(.otherKey)))
                #expect(driver.answers == [.proven(.missing)])
                Self.ask(&driver)
                let again = Self.withoutProofs(driver.frame(.proven(.proven(Self.object(), receipt: signature))))
                #expect(again == [.answered(Self.id, .proven(.missing))], "told once")
                continue
            }
            driver.commit()
            guard case .proven(.kept(let kept))? = driver.answers.first else {
                Issue.record("\(driver.answers)")
                return
            }
            #expect(kept.certificates == [[4], [5]])
        }
    }

    // MARK: Failures

    @Test func codeOfARefusalDecidesAboutRetry() throws {
        for rule in FailureRule.all where rule.scopes.contains(.session) {
            for isReport in [false, true] {
                var driver = Self.driver()
                driver.frame(
                    isReport
                        ? .error(
                            ErrorReport(scope: .session, code: rule.code, retryAfterMilliseconds: 0, message: "why"))
                        : .sessionRefused(SessionRefused(code: rule.code, retryAfterMilliseconds: 0, message: "why")))
                if rule.reaction == .report {
                    #expect(driver.answers.count == 1, "\(rule.name)")
                    continue
                }
                #expect(driver.answers.isEmpty, "\(rule.name)")
                let again = frames(driver.tick(after: .seconds(1)))
                #expect(again.contains { if case .prove = $0 { true } else { false } }, "\(rule.name)")
            }
        }
    }

    @Test func adviceIsWaitedFor() {
        var driver = Self.driver()
        driver.frame(.sessionRefused(SessionRefused(code: .busy, retryAfterMilliseconds: 5_000, message: "")))
        #expect(frames(driver.tick(after: .milliseconds(4_990))) == [])
        #expect(frames(driver.tick(after: .milliseconds(20))).count == 1)
    }

    @Test func aLostConnectionIsNoAnswer() {
        var driver = Self.driver()
        _ = driver.connectionLost()
        #expect(driver.answers.isEmpty)
        driver.tick(after: .seconds(1))
        #expect(frames(Self.connect(&driver)).count == 1)
        driver.frame(.proven(.absent))
        #expect(driver.answers == [.absent])
    }

    /// After GO AWAY the agent still waits on the old connection for the answer to its earlier question. It sends new
    /// questions on a new connection.
    @Test func drainingGatewayIsNotAsked() throws {
        var driver = Self.driver()
        let first = try #require(driver.connections.last)
        driver.frame(.goAway(GoAway(deadlineMilliseconds: 5_000, message: "")))
        let other = ProofRequest(
            id: UploadID(6), key: "other", stamp: AgentDriver.stamp(size: 1), partBytes: 1, root: Self.root)
        #expect(frames(driver.change { $0.prove(other, now: $1) }) == [])
        let second = try #require(driver.connections.last)
        #expect(second != first)
        let asked = Self.connect(&driver)
        #expect(asked.count == 1 && frames(asked).count == 1)
        let actions = driver.change {
            $0.receivedFrame(.proven(.absent), slot: Slot(1), from: first, now: $1)
        }
        let doubt = AgentAction.journal(JournalSequence(1), .doubted(key: "file"))
        #expect(actions == [doubt, .answered(Self.id, .absent), .close(first)])
    }

    @Test func aStopAnswersAtOnce() {
        var driver = Self.driver()
        let actions = driver.change { $0.stop(now: $1) }
        #expect(frames(actions) == [.sessionLeave(SessionLeave())])
        #expect(driver.answers == [.failed(UploadFailure(.stopped, "interrupted"))])
        #expect(driver.machine.isIdle)
    }

    @Test func givesUpWithoutAGateway() {
        var driver = AgentDriver()
        Self.ask(&driver)
        driver.tick(after: AgentLimits().retryFor + .seconds(1))
        guard case .failed(let failure)? = driver.answers.first else {
            Issue.record("\(driver.answers)")
            return
        }
        #expect(failure.kind == .unreachable)
    }

    /// Reading an object back may take hours, so the agent waits for as long as the connection is alive. Its wait for
    /// any other answer has a time limit.
    @Test(arguments: [false, true])
    func readBackIsAwaitedWhileConnected(readsBack: Bool) throws {
        var driver = Self.driver(readsBack: readsBack)
        var reports: [AgentAction] = []
        for minute in 1...40 {
            for _ in 1...4 {
                reports += driver.tick(after: .seconds(15)).filter { if case .report = $0 { true } else { false } }
                if !driver.connections.isEmpty { driver.frame(.pong(Pong(nonce: 1))) }
            }
            if minute == 29 { #expect(driver.answers.isEmpty) }
        }
        #expect(reports == [.report(Self.id, .waitingForAnswer)])
        #expect(driver.answers == (readsBack ? [] : [.failed(.gatewayAtWork(isKept: false))]))
    }

    /// The journal stores the receipt first. Only then the agent reports that it keeps the receipt.
    @Test func failedJournalKeepsNoReceipt() throws {
        var driver = Self.driver()
        driver.frame(.proven(.proven(Self.object(), receipt: try Self.signature(Self.statement(Self.object())))))
        driver.change { $0.journalFailed(UploadFailure(.journalFull), now: $1) }
        #expect(driver.answers == [.failed(UploadFailure(.journalFull))])
        #expect(driver.machine.isIdle)
    }
}
