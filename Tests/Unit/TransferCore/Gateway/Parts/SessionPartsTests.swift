import RepositoryFiles
import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

@Suite struct SessionPartsTests {
    private static let slot = TransferCore.Attachment(connection: ConnectionID(1), slot: Slot(1))
    private static let otherSlot = TransferCore.Attachment(connection: ConnectionID(2), slot: Slot(1))
    private static let flow = FlowID(1)
    private static let call = StoreRequestID(7)
    private static let now = Instant(nanoseconds: 1_000_000_000)
    private static let rule = PairOptions().gatewayLimits.parts
    private static let grant = PartGrant(call: call, bytesReserved: 400, bytesFirst: .max)

    private static func number(_ value: UInt32 = 1) throws -> PartNumber { try #require(PartNumber(value)) }

    private static func offered(size: UInt64 = 2_500, isDecided: Bool = false) throws -> SessionParts {
        var parts = try empty(size: size)
        let offer = try #require(GatewayDriver.offer(1, of: size))
        #expect(parts.receivedOffer(offer, from: slot, rule: rule) == .isNew(replaced: nil))
        parts.add(offer, from: slot, flow: flow)
        if isDecided {
            #expect(try parts.decided(number(), grant, condition: .ifAbsent) == .send(offset: 0, limit: 400))
        }
        return parts
    }

    private static func empty(size: UInt64 = 2_500) throws -> SessionParts {
        SessionParts(plan: try #require(PartPlan(fileBytes: size, partBytes: 1_000)), partsMax: 3)
    }

    private static func name(of parts: SessionParts) throws -> String {
        if try parts[number()] != nil { return "offered" }
        if parts.mayLand { return "givenUp" }
        return try parts.stored.contains(number()) ? "stored" : "absent"
    }

    @Test func theTableIsTrue() throws {
        let number = try Self.number()
        let offer = try #require(GatewayDriver.offer(1, of: 2_500))
        var givenUp = try Self.offered(isDecided: true)
        _ = givenUp.giveUp(number)
        var stored = try Self.empty()
        stored.listed(GatewayDriver.entries(of: 2_500))
        let events: [(inout SessionParts) -> Void] = [
            { if $0.stored.count == 0, !$0.mayLand { $0.add(offer, from: Self.slot, flow: Self.flow) } },
            { if $0.isEmpty, !$0.mayLand { $0.listed(GatewayDriver.entries(of: 2_500)) } },
            { _ = $0.receivedAnswer(.partStored(etag: "e"), part: number, listed: 0) },
            { _ = $0.receivedAnswer(.failed(.outcomeUnknown), part: number, listed: 0) },
            { _ = $0.giveUp(number) }, { _ = $0.answeredGivenUp(Self.call) }, { $0.wanted([number]) },
        ]
        var changes: Set<TransitionTable.Row> = []
        for parts in [try Self.empty(), try Self.offered(), try Self.offered(isDecided: true), givenUp, stored] {
            for event in events {
                var next = parts
                event(&next)
                guard try Self.name(of: next) != Self.name(of: parts) else { continue }
                changes.insert(TransitionTable.Row(from: try Self.name(of: parts), to: try Self.name(of: next)))
            }
        }
        let rows = try TransitionTable.rows(of: "Sources/TransferCore/Gateway/Parts/SessionParts.swift")
        #expect(Set(rows) == changes)
    }

    // MARK: Offers

    @Test func offersFitThePlan() throws {
        var parts = try Self.empty()
        let wrong = try #require(GatewayDriver.offer(1, of: 900))
        guard case .wrong = parts.receivedOffer(wrong, from: Self.slot, rule: Self.rule) else {
            Issue.record("a part of another size is no violation")
            return
        }
    }

    /// The same offer in another slot continues a decided part. A COMPLETE refers to the offer before it. So the new
    /// offer makes an earlier COMPLETE void, unless the store may have the last bytes.
    @Test func theSameOfferContinuesADecidedPart() throws {
        let offer = try #require(GatewayDriver.offer(1, of: 400))
        for isReleased in [false, true] {
            var parts = try Self.offered(size: 400, isDecided: true)
            #expect(
                parts.receivedBytes(400, of: offer.part, flow: Self.flow, connection: ConnectionID(1))
                    == .whole(Received(part: offer.part, received: 400, limit: 400), Self.slot))
            parts.completed(offer.part)
            let target = try SessionEndingTests.target(size: 400, upload: nil)
            if isReleased {
                let checked = CheckedConditions.all.put
                #expect(parts.releaseIfComplete(target.writeGuard, checked) == .release(Self.flow))
            }
            #expect(
                parts.receivedOffer(offer, from: Self.otherSlot, rule: Self.rule)
                    == .continues(.send(offset: 400, limit: 400), voidsComplete: !isReleased))
            #expect(parts[offer.part]?.owner == Self.otherSlot)
        }
    }

    @Test func otherOfferReplacesThePart() throws {
        var parts = try Self.offered(isDecided: true)
        let number = try Self.number()
        let replaced = parts[number]
        let other = PartOffer(
            part: number, size: 1_000, isLast: false, digest: ToyDigest.sha256([9]), md5: nil)
        #expect(parts.receivedOffer(other, from: Self.slot, rule: Self.rule) == .isNew(replaced: replaced))
        #expect(parts.isEmpty && parts.mayLand)
    }

    @Test func partialsAreNamedAndBelongToTheSlot() throws {
        var parts = try Self.offered(isDecided: true)
        let number = try Self.number()
        _ = parts.receivedBytes(200, of: number, flow: Self.flow, connection: ConnectionID(1))
        #expect(parts.namePartials(to: Self.otherSlot, except: []) == [])
        #expect(parts.connectionLost(ConnectionID(1), now: Self.now) == [.keeps(Self.call)])
        #expect(parts.namePartials(to: Self.otherSlot, except: [number]) == [])
        #expect(parts.namePartials(to: Self.otherSlot, except: []).map(\.offset) == [200])
        #expect(parts[number]?.owner == Self.otherSlot)
    }

    @Test func undecidedPartsEndWithTheirConnection() throws {
        var parts = try Self.offered()
        let part = try #require(parts[try Self.number()])
        #expect(parts.connectionLost(ConnectionID(2), now: Self.now) == [])
        #expect(parts.connectionLost(ConnectionID(1), now: Self.now) == [.givesUp(part)])
        #expect(!parts.mayLand)
    }

    @Test func adoptionKeepsThePartWithMoreBytes() throws {
        let number = try Self.number()
        let ahead = try #require(try Self.offered()[number])
        var parts = try Self.empty()
        #expect(parts.adopt(ahead, by: Self.otherSlot, partsMax: 1) == .takesOver(replaced: nil))
        #expect(parts.adopt(ahead, by: Self.otherSlot, partsMax: 1) == .keepsOwn(.send(offset: 0, limit: 0)))
        var full = try Self.empty()
        #expect(full.adopt(ahead, by: Self.otherSlot, partsMax: 0) == .full(replaced: nil))
    }

    // MARK: Data

    @Test func bytesCountOnlyForTheFlowAndConnectionOfThePart() throws {
        let number = try Self.number()
        var (undecided, decided) = (try Self.offered(), try Self.offered(isDecided: true))
        for (flow, connection) in [(FlowID(2), ConnectionID(1)), (Self.flow, ConnectionID(2))] {
            #expect(decided.receivedBytes(100, of: number, flow: flow, connection: connection) == .unwanted)
        }
        #expect(undecided.receivedBytes(100, of: number, flow: Self.flow, connection: ConnectionID(1)) == .undecided)
        #expect(decided.receivedBytes(100, of: number, flow: Self.flow, connection: ConnectionID(1)) == .counted)
        #expect(decided.consumed(100, of: number, flow: FlowID(2), heldBytesMax: 0, window: 400) == nil)
        let result = decided.consumed(100, of: number, flow: Self.flow, heldBytesMax: 0, window: 400)
        #expect(result?.received == Received(part: number, received: 100, limit: 500) && result?.owner == Self.slot)
    }

    // MARK: The store's answers

    @Test func storedPartsAreKnownByTheirOffer() throws {
        var parts = try Self.offered(isDecided: true)
        let number = try Self.number()
        let offer = try #require(GatewayDriver.offer(1, of: 2_500))
        let answered = parts.receivedAnswer(.partStored(etag: "e"), part: number, listed: 0)
        #expect(answered?.result == .stored(Stored(part: number, etag: "e")))
        #expect(parts.storedForm(of: offer)?.etag == "e")
        parts.wanted([number])
        #expect(parts.storedForm(of: offer) == nil)
    }

    /// The store does not know the upload. If every part is stored, is being received, or is listed, another gateway
    /// may be completing the upload, so the session searches for the object patiently. Otherwise no gateway can be
    /// completing it, and a short search is enough.
    @Test func unknownUploadIsSearchedForPatientlyIfAllPartsAreKnown() throws {
        let number = try Self.number()
        for (listed, isPatient) in [(0, false), (3, true)] {
            var parts = try Self.offered(isDecided: true)
            let answered = parts.receivedAnswer(.failed(.uploadUnknown), part: number, listed: listed)
            #expect(
                answered?.result
                    == .step(.search(.uploadUnknown, isPatient: isPatient, retry: .nothing, content: .none)))
        }
    }

    @Test func failuresConcernThePartOrTheSession() throws {
        let number = try Self.number()
        for (size, failure, isOfSession) in [
            (2_500, .outcomeUnknown, false), (2_500, .denied, true), (2_500, .conflict, false),
            (2_500, .keyTaken, true), (400, .outcomeUnknown, false), (400, .conflict, true), (400, .keyTaken, true),
            (400, .objectGone, true), (2_500, .objectGone, false), (400, .full, false),
        ] as [(UInt64, StoreError, Bool)] {
            var parts = try Self.offered(size: size, isDecided: true)
            let answered = parts.receivedAnswer(.failed(failure), part: number, listed: 0)
            #expect(parts.isEmpty && !parts.mayLand)
            switch answered?.result {
            case .step: #expect(isOfSession, "\(size), \(failure)")
            case .failed: #expect(!isOfSession, "\(size), \(failure)")
            case .stored, nil: Issue.record("\(size), \(failure): no failure")
            }
        }
    }

    /// If the store does not check the condition, the session looks up the key before it releases the last bytes.
    @Test func lastBytesWaitForALook() throws {
        let number = try Self.number()
        let target = try SessionEndingTests.target(size: 400, upload: nil)
        var parts = try Self.offered(size: 400, isDecided: true)
        #expect(parts.releaseIfComplete(target.writeGuard, CheckedConditions.none.put) == .wait)
        parts.completed(number)
        #expect(parts.releaseIfComplete(target.writeGuard, CheckedConditions.none.put) == .look)
        parts.looks(StoreRequestID(8))
        var voided = parts
        voided.voidComplete()
        #expect(voided.looked(number) == nil)
        #expect(parts.looked(number) == Self.flow)
    }

    @Test func givenUpCallIsRememberedUntilItsAnswer() throws {
        var parts = try Self.offered(isDecided: true)
        let part = try #require(parts.giveUp(try Self.number()))
        #expect(parts.giveUpAll() == [] && parts.mayLand)
        #expect(parts.answeredGivenUp(StoreRequestID(1)) == nil)
        #expect(parts.answeredGivenUp(Self.call) == part.offer.digest)
        #expect(!parts.mayLand)
    }
}
