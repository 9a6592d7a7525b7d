import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// Files that are unchanged since they were stored. If the object may differ from the file, the agent reads the file or
/// opens a session. Otherwise it does neither.
@Suite struct UnchangedFileTests {
    private static let digest = ToyDigest.sha256(GatewayDriver.bytes(1, of: 2_500))

    /// A request whose stamp is that of the proof. The store and the key of the proof are those in the driver's
    /// WELCOME.
    private static func request(_ change: (inout UploadRequest) -> Void = { _ in }) -> UploadRequest {
        var proof = StoredProof(
            session: SessionID(high: 3, low: 3), stamp: AgentDriver.stamp, partBytes: 1_000, root: digest, size: 2_500)
        proof.etag = "etag"
        proof.store = .zero
        proof.wholeKey = "site/file"
        proof.stampCounts = true
        var request = UploadRequest(
            id: AgentDriver.upload, purpose: .push, key: "file", stamp: AgentDriver.stamp, policy: .verify,
            partBytesWish: nil, saved: nil, wasStoredBefore: true)
        request.proof = proof
        request.isUnchanged = true
        change(&request)
        return request
    }

    private static func driver(
        receiptKey: [UInt8] = [], _ request: UploadRequest
    ) -> (driver: AgentDriver, actions: [AgentAction]) {
        var driver = AgentDriver()
        var actions = driver.handle(.submitted(request))
        actions += AgentProofTests.connect(&driver, receiptKey: receiptKey)
        actions += driver.commit()
        return (driver, actions)
    }

    private static func receipt(_ driver: AgentDriver) -> UploadReceipt? {
        guard case .stored(let receipt, wasThere: true)? = driver.outcomes.first, driver.outcomes.count == 1 else {
            return nil
        }
        return receipt
    }

    @Test(arguments: [ExistingKeyPolicy.verify, .replace])
    func theFileIsNotRead(policy: ExistingKeyPolicy) throws {
        let (driver, actions) = Self.driver(Self.request { $0.policy = policy })
        let receipt = try #require(Self.receipt(driver))
        #expect(receipt.isUnchanged && receipt.size == 2_500 && receipt.root == Self.digest && receipt.etag == "etag")
        #expect(receipt.signed == .notAskedFor)
        #expect(driver.reads.isEmpty && driver.slots.isEmpty)
        #expect(
            !actions.contains {
                switch $0 {
                case .readPart, .computeEvidence, .checkFile, .journal(_, .began): true
                default: false
                }
            })
        #expect(driver.machine.isIdle)
    }

    /// Why a file is compared or sent although its stamp may be that of the proof.
    enum Reason: CaseIterable {
        case isTouchedOrRead, isResumed, mustNotExist, wasBegun, wasWithdrawn, isOfOtherStore, isUnderOtherKey,
            isOfUnknownPlace, hasOtherSize, hasNoProof, lacksReceiptAndDigest

        func apply(to request: inout UploadRequest) {
            switch self {
            case .isTouchedOrRead: request.isUnchanged = false
            case .isResumed: request.purpose = .resume
            case .mustNotExist: request.policy = .fail
            case .wasBegun: request.saved = AgentDriver.saved()
            case .wasWithdrawn: request.withdrawn = WithdrawnVersion(stamp: AgentDriver.stamp, age: .zero)
            case .isOfOtherStore: request.proof?.store = ToyDigest.sha256([9])
            case .isUnderOtherKey: request.proof?.wholeKey = "other/file"
            case .isOfUnknownPlace:
                request.proof?.store = nil
                request.proof?.wholeKey = nil
            case .hasOtherSize: request.proof?.size = 2_499
            case .hasNoProof: request.proof = nil
            case .lacksReceiptAndDigest:
                request.wantsReceipt = true
                request.proof?.root = nil
            }
        }
    }

    @Test(arguments: Reason.allCases)
    func theFileIsComparedOrSent(reason: Reason) {
        let (driver, actions) = Self.driver(Self.request { reason.apply(to: &$0) })
        #expect(driver.outcomes.isEmpty)
        let asks = frames(actions).contains { frame in
            switch frame {
            case .sessionOpen, .resumeQuery: true
            default: false
            }
        }
        #expect(asks, "\(actions)")
    }

    // MARK: Receipts

    @Test func keptReceiptIsReported() throws {
        let kept = StoredReceipt(statement: [1], signature: [2], publicKey: [3])
        let request = Self.request {
            $0.wantsReceipt = true
            $0.signedReceipt = kept
        }
        let (driver, _) = Self.driver(receiptKey: AgentProofTests.siteKey, request)
        #expect(try #require(Self.receipt(driver)).signed == .kept(kept))
        #expect(driver.slots.isEmpty)
    }

    private static func proving() throws -> AgentDriver {
        let (driver, actions) = driver(receiptKey: AgentProofTests.siteKey, request { $0.wantsReceipt = true })
        let proofs = frames(actions).compactMap { if case .prove(let prove) = $0 { prove } else { nil } }
        #expect(proofs.map(\.root) == [digest])
        #expect(driver.outcomes.isEmpty && driver.reads.isEmpty)
        return driver
    }

    @Test func missingReceiptIsAskedFor() throws {
        var driver = try Self.proving()
        let object = ProvenObject(
            size: 2_500, evidence: .none, partBytes: 0, etag: "etag", version: "", session: nil)
        driver.frame(.proven(.unknown(object)))
        driver.commit()
        #expect(try #require(Self.receipt(driver)).signed == .missing)
    }

    @Test func missingObjectIsSentAgain() throws {
        var driver = try Self.proving()
        let actions = driver.frame(.proven(.absent)) + driver.commit()
        #expect(driver.outcomes.isEmpty)
        #expect(frames(actions).contains { if case .sessionOpen = $0 { true } else { false } }, "\(actions)")
    }
}
