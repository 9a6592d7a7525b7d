import Testing
import TransferCore
import TransferCoreSupport
import WireProtocol

/// The gateway checks every COMPLETE by one rule, whether the file has one part or several (specification §9.1, §9.2).
@Suite struct CompletionRuleTests {
    /// What is wrong with COMPLETE or with the parts that it names.
    enum Fault: CaseIterable {
        case nothing, size, partCount, root, sizeAndRoot
        case nothingBefore, unfinished

        var code: ErrorCode? {
            switch self {
            case .nothing: nil
            case .root: .rootMismatch
            case .size, .partCount, .sizeAndRoot, .nothingBefore, .unfinished: .listInvalid
            }
        }

        func complete(_ size: UInt64) -> Complete {
            let right = GatewayDriver.complete(size)
            let isRootWrong = self == .root || self == .sizeAndRoot
            return Complete(
                root: isRootWrong ? ToyDigest.sha256([7]) : right.root,
                partCount: self == .partCount ? right.partCount + 1 : right.partCount,
                size: self == .size || self == .sizeAndRoot ? size + 1 : size)
        }
    }

    private static func code(_ actions: [GatewayAction]) -> ErrorCode? {
        frames(actions).compactMap { frame -> ErrorCode? in
            if case .error(let report) = frame, report.scope == .session { report.code } else { nil }
        }.first
    }

    private static func releases(_ actions: [GatewayAction]) -> Bool {
        actions.contains { if case .releaseFlow = $0 { true } else { false } }
    }

    /// COMPLETE arrives in an open slot, or in a slot in which the gateway has not yet answered SESSION OPEN or RESUME
    /// QUERY.
    @Test(arguments: Fault.allCases, ["open", "opening", "resuming"])
    func onePart(fault: Fault, state: String) throws {
        var driver = GatewayDriver()
        driver.connect()
        if state == "resuming" {
            let token = GatewayDriver.token(size: 400, upload: "")
            driver.frame(.resumeQuery(ResumeQuery(listedParts: 0, token: token)))
        } else {
            driver.frame(.sessionOpen(GatewayDriver.open(size: 400)))
        }
        if state == "open" { driver.answer(.object(nil)) }
        if fault != .nothingBefore {
            driver.frame(.partOffer(try #require(GatewayDriver.offer(1, of: 400))))
            driver.data(bytes: 200)
            if fault != .unfinished { driver.data(offset: 200, bytes: 200) }
        }
        var actions = driver.frame(.complete(fault.complete(400)))
        #expect(Self.code(actions) == fault.code)
        if state != "open" { actions += driver.answer(.object(nil)) }
        #expect(Self.releases(actions) == (fault == .nothing))
        #expect(driver.machine.slotsInUse == (fault == .nothing ? 1 : 0))
    }

    @Test(arguments: Fault.allCases)
    func severalParts(fault: Fault) {
        var driver = GatewayDriver()
        driver.connect()
        driver.openParts(size: 2_500)
        let entries = GatewayDriver.entries(of: 2_500)
        if fault != .nothingBefore {
            driver.frame(.partList(PartList(entries: entries, isLast: fault != .unfinished)))
        }
        let actions = driver.frame(.complete(fault.complete(2_500)))
        #expect(Self.code(actions) == fault.code)
        #expect(driver.requests.isEmpty == (fault != .nothing))
    }

    /// The store has computed a digest of a part that differs from the digest in the agent's list. The gateway believes
    /// the store, and asks the agent to send the part again.
    @Test func partWithAnotherStoredDigestIsWanted() throws {
        var driver = GatewayDriver()
        driver.connect()
        driver.openParts(size: 2_500)
        let entries = GatewayDriver.entries(of: 2_500)
        driver.frame(.partList(PartList(entries: entries, isLast: true)))
        driver.frame(.complete(GatewayDriver.complete(2_500)))
        var listing = entries
        let second = entries[1]
        listing[1] = PartListEntry(
            part: second.part, size: second.size, digest: ToyDigest.sha256([7]), etag: second.etag)
        let answer = driver.answer(.parts(listing))
        #expect(frames(answer) == [.partsWanted(PartsWanted(parts: [second.part]))])
    }

    @Test(arguments: ["part", "size", "digest", "etag", "gap"])
    func everyListedPartIsWhole(what: String) throws {
        var driver = GatewayDriver()
        driver.connect()
        driver.openParts(size: 2_500)
        var entries = GatewayDriver.entries(of: 2_500)
        let first = entries[0]
        switch what {
        case "part": entries = Array(entries.dropLast())
        case "gap": entries.remove(at: 1)
        default:
            entries[0] = PartListEntry(
                part: first.part, size: what == "size" ? 999 : first.size,
                digest: what == "digest" ? nil : first.digest,
                etag: what == "etag" ? "" : first.etag)
        }
        driver.frame(.partList(PartList(entries: entries, isLast: true)))
        #expect(Self.code(driver.frame(.complete(GatewayDriver.complete(2_500)))) == .listInvalid)
    }

    /// A file of several parts needs a part list before COMPLETE, and the agent may send the list only in an open slot.
    /// COMPLETE in a slot that is still opening or resuming therefore fails.
    @Test func severalPartsAreNotCompletedAhead() throws {
        var driver = try GatewayTableTests.driver(in: .lookingUp)
        #expect(Self.code(driver.frame(.complete(GatewayDriver.complete(2_500)))) == .listInvalid)
        driver = try GatewayTableTests.driver(in: .resuming)
        #expect(Self.code(driver.frame(.complete(GatewayDriver.complete(2_500)))) == .listInvalid)
    }

    /// While the gateway looks up the key for the first COMPLETE, the agent offers the part again and sends another
    /// COMPLETE. The gateway checks the root digest of the second COMPLETE, too.
    @Test func completeDuringALookIsChecked() throws {
        var driver = try GatewayTableTests.driver(in: .onePartLooking)
        // The gateway ignores a second COMPLETE while it handles the first.
        #expect(driver.frame(.complete(Fault.root.complete(400))).isEmpty)
        // A new offer of the part voids the first COMPLETE.
        driver.frame(.partOffer(try #require(GatewayDriver.offer(1, of: 400))))
        let look = try #require(driver.requests.last)
        #expect(Self.code(driver.frame(.complete(Fault.root.complete(400)))) == .rootMismatch)
        let now = driver.now
        let answered = driver.change { machine, _ in
            machine.storeAnswered(look.id, .object(nil), now: now, wallMilliseconds: 0)
        }
        #expect(!Self.releases(answered))
    }

    /// The agent has offered the part again in another slot. A COMPLETE in the old slot is void, because the agent sent
    /// it before that offer.
    @Test func completeOfAPartThatMovedIsIgnored() throws {
        var driver = try GatewayTableTests.driver(in: .onePartHeld)
        let second = driver.newConnection()
        driver.connect(second)
        driver.frame(.sessionOpen(GatewayDriver.open(size: 400)), from: second)
        driver.frame(.partOffer(try #require(GatewayDriver.offer(1, of: 400))), from: second)
        #expect(driver.frame(.complete(GatewayDriver.complete(400))).isEmpty)
        #expect(Self.releases(driver.frame(.complete(GatewayDriver.complete(400)), from: second)))
    }

    /// ERROR of part scope voids the COMPLETE before it: the slot is open again and accepts the next one.
    @Test func completeIsRepeatedAfterAFailedPart() throws {
        var driver = try GatewayTableTests.driver(in: .onePartReleased)
        let failed = driver.answer(.failed(.digestMismatch))
        #expect(
            frames(failed).contains {
                if case .error(let report) = $0 { report.code == .digestMismatch } else { false }
            })
        #expect(driver.frame(.complete(GatewayDriver.complete(400))).isEmpty)
        driver.frame(.partOffer(try #require(GatewayDriver.offer(1, of: 400))))
        for offset in [0, 200] as [UInt64] { driver.data(offset: offset, bytes: 200) }
        #expect(Self.releases(driver.frame(.complete(GatewayDriver.complete(400)))))
    }

    /// The store rejects the content only at completion. The gateway answers with `contentRefused`, a code that may end
    /// a session.
    @Test func completionOfOtherContentIsRefused() throws {
        var driver = try GatewayTableTests.driver(in: .completing)
        #expect(Self.code(driver.answer(.failed(.digestMismatch))) == .contentRefused)
    }
}
