import NIOCore
import Testing
import TransferCommon
import WireProtocol

@Suite struct FrameEncodingTests {
    @Test(arguments: [
        ("short", "short"),
        (String(repeating: "m", count: 512), String(repeating: "m", count: 512)),
        (String(repeating: "m", count: 513), String(repeating: "m", count: 512)),
        (String(repeating: "m", count: 511) + "é", String(repeating: "m", count: 511)),
        (String(repeating: "m", count: 509) + "🜁🜁", String(repeating: "m", count: 509)),
        (String(repeating: "m", count: 508) + "🜁🜁", String(repeating: "m", count: 508) + "🜁"),
        (String(repeating: "‖", count: 100_000), String(repeating: "‖", count: 170)),
    ])
    func messageIsCutAtACharacter(message: String, sent: String) throws {
        let frames: [(Frame, Slot, Frame)] = [
            (
                .goAway(GoAway(deadlineMilliseconds: 1, message: message)), .connection,
                .goAway(GoAway(deadlineMilliseconds: 1, message: sent))
            ),
            (
                .error(ErrorReport(scope: .session, code: .busy, retryAfterMilliseconds: 1, message: message)),
                Slot(1), .error(ErrorReport(scope: .session, code: .busy, retryAfterMilliseconds: 1, message: sent))
            ),
            (
                .sessionRefused(SessionRefused(code: .busy, retryAfterMilliseconds: 1, message: message)), Slot(1),
                .sessionRefused(SessionRefused(code: .busy, retryAfterMilliseconds: 1, message: sent))
            ),
            (.report(Self.report(message)), .connection, .report(Self.report(sent))),
        ]
        for (frame, slot, expected) in frames {
            let receiver: Role = frame.type.direction == .agentToGateway ? .gateway : .agent
            let outcome = Outcome(feeding: try encoded(frame, slot: slot), receiver: receiver)
            #expect(outcome.inbound == [.frame(slot, expected)])
        }
    }

    @Test func invalidFrameThrowsAndWritesNothing() throws {
        for (frame, slot, error) in try unsendable() {
            var buffer = ByteBuffer(string: "before")
            #expect(throws: error) { try frame.encode(slot: slot, into: &buffer) }
            #expect(buffer == ByteBuffer(string: "before"), "\(error)")
        }
    }

    @Test func invalidDataHeaderThrowsAndWritesNothing() throws {
        let part = try #require(PartNumber(1))
        func header(_ offset: UInt64, _ plainBytes: UInt32, _ isCompressed: Bool, _ payloadBytes: UInt32)
            -> PartDataHeader
        {
            PartDataHeader(
                part: part, offset: offset, plainBytes: plainBytes, isCompressed: isCompressed,
                payloadBytes: payloadBytes)
        }
        let cases: [(PartDataHeader, Slot, WireError)] = [
            (header(0, 1, false, 1), .connection, .badSlot(type: .partData, slot: .connection)),
            (header(0, 0, false, 0), Slot(1), .badValue(type: .partData, field: "plainBytes")),
            (header(0, 262_145, true, 1), Slot(1), .badValue(type: .partData, field: "plainBytes")),
            (header(.max, 1, false, 1), Slot(1), .badValue(type: .partData, field: "offset")),
            (header(0, 5, false, 4), Slot(1), .bodyTooShort(type: .partData, length: 20)),
            (
                header(0, 5, false, .max), Slot(1),
                .trailingBytes(type: .partData, length: 4_294_967_311, unread: 4_294_967_290)
            ),
            (header(0, 5, true, 0), Slot(1), .badCompression(payloadBytes: 0, plainBytes: 5)),
            (header(0, 5, true, 5), Slot(1), .badCompression(payloadBytes: 5, plainBytes: 5)),
            (header(0, 5, true, .max), Slot(1), .badCompression(payloadBytes: .max, plainBytes: 5)),
        ]
        for (header, slot, error) in cases {
            var buffer = ByteBuffer(string: "before")
            #expect(throws: error) { try header.encode(slot: slot, into: &buffer) }
            #expect(buffer == ByteBuffer(string: "before"), "\(error)")
        }
    }

    @Test func fullestFramesFitTheirMaximum() throws {
        let parts = try (1...10_000).map { try #require(PartNumber($0)) }
        let token = [UInt8](repeating: 1, count: 4_096)
        let partials = parts.prefix(1_024).map { PartialPart(part: $0, digest: .zero, offset: .max, limit: .max) }
        let state = ResumeState(
            phase: .ongoing, partBytes: 1, candidateParts: 1,
            partials: partials, wanted: parts, token: token)
        let opened = SessionOpened(
            session: SessionID(high: 1, low: 2), partBytes: 1, token: token,
            adoption: .init(candidateParts: .max, partials: partials))
        let text = String(repeating: "k", count: 1_024)
        let completed = Completed(
            size: 1, evidence: .compositeMD5(text), partBytes: 1, etag: text, version: text, location: text,
            receipt: ReceiptSignature(timeMilliseconds: .max, bytes: [UInt8](repeating: 7, count: 128)))
        let welcome = Welcome(
            version: 1, capabilities: [], slotsMax: 1, chunkBytesMax: 1, initialCreditBytes: 0, partBytesMin: 1,
            partBytesMax: 1, partBytesDefault: 1, partsMax: 1, objectBytesMax: 0, putLimitMilliseconds: 0,
            idleLimitMilliseconds: 0, serverTime: 0, software: String(repeating: "s", count: 255),
            deviceName: String(repeating: "d", count: 255), prefix: text, storeIdentity: .zero,
            receiptKey: [UInt8](repeating: 7, count: 256), nextSiteKey: .zero)
        #expect(
            Outcome(feeding: try encoded(.welcome(welcome), slot: .connection), receiver: .agent).inbound
                == [.frame(.connection, .welcome(welcome))])
        let frames: [Frame] = [
            .resumeState(state), .sessionOpened(opened), .partsWanted(PartsWanted(parts: parts)), .completed(completed),
        ]
        for frame in frames {
            #expect(Outcome(feeding: try encoded(frame), receiver: .agent).inbound == [.frame(Slot(1), frame)])
        }
    }

    @Test(arguments: [1, 2, 244, 245, 5_000, 10_000], [1, 34, 1_024])
    func pagesHoldAllEntriesInOrderAndFit(count: Int, etagBytes: Int) throws {
        let etag = String(repeating: "e", count: etagBytes)
        let entries = try (1...count).map { number in
            PartListEntry(part: try #require(PartNumber(UInt32(number))), size: 8, digest: .zero, etag: etag)
        }
        let pages = PartList.pages(of: entries)
        #expect(pages.flatMap(\.entries) == entries)
        #expect(pages.map(\.isLast) == Array(repeating: false, count: pages.count - 1) + [true])
        let sizes = try pages.map { try encoded(.partList($0)).count - WireLimits.headerBytes }
        #expect(sizes.allSatisfy { $0 <= 262_144 })
        // Each page but the last is full: it has no room for one more entry.
        let entryBytes = 47 + etagBytes
        #expect(sizes.dropLast().allSatisfy { $0 + entryBytes > 262_144 })
    }

    @Test func noEntriesGiveNoPages() {
        #expect(PartList.pages(of: []).isEmpty)
    }

    private static func report(_ reason: String, freeBytes: UInt64? = nil) -> StatusReport {
        StatusReport(
            status: .waiting, pendingItems: 1, pendingBytes: 2, oldestSeconds: 3, quarantinedItems: 4,
            freeBytes: freeBytes, reason: reason)
    }

    @Test(arguments: [0, 129, 4_096])
    func invalidSignatureLengthIsRefused(count: Int) {
        #expect(ReceiptSignature(timeMilliseconds: 0, bytes: [UInt8](repeating: 0, count: count)) == nil)
    }

    private func wrong(_ type: FrameType, _ field: String) -> WireError { .badValue(type: type, field: field) }

    private func entry(_ part: PartNumber, _ etag: String = "e") -> PartListEntry {
        PartListEntry(part: part, size: 0, digest: nil, etag: etag)
    }

    /// Values that the types allow but the specification does not. Only a programming error can make them.
    private func unsendable() throws -> [(Frame, Slot, WireError)] {
        let (one, two) = (try #require(PartNumber(1)), try #require(PartNumber(2)))
        let long = String(repeating: "x", count: 1_025)
        let longToken = [UInt8](repeating: 0, count: 4_097)
        func open(size: UInt64? = nil, nanoseconds: UInt32 = 0, key: String = "k") -> Frame {
            .sessionOpen(
                SessionOpen(
                    session: SessionID(high: 0, low: 0),
                    terms: SessionTerms(
                        key: key, size: size, partBytes: 1,
                        modification: ModificationTime(seconds: 0, nanoseconds: nanoseconds), condition: .absent),
                    compares: false))
        }
        func hello(
            _ versions: ClosedRange<UInt16>, isReversed: Bool = false, pins: Int = 0, software: String = ""
        ) -> Frame {
            .hello(
                Hello(
                    versionMin: isReversed ? versions.upperBound : versions.lowerBound,
                    versionMax: isReversed ? versions.lowerBound : versions.upperBound, capabilities: [.lz4],
                    fingerprint: .zero, run: RunID(high: 0, low: 0),
                    pins: Array(repeating: .zero, count: pins), software: software))
        }
        func state(_ phase: ResumePhase, partials: Int = 0, wanted: Int = 0, token: [UInt8] = []) -> Frame {
            .resumeState(
                ResumeState(
                    phase: phase, partBytes: 0, candidateParts: 0,
                    partials: Array(
                        repeating: PartialPart(part: one, digest: .zero, offset: 0, limit: 0), count: partials),
                    wanted: Array(repeating: one, count: wanted), token: token))
        }
        let others: [(Frame, Slot, WireError)] = [
            (hello(1...2, isReversed: true), .connection, wrong(.hello, "versionMax")),
            (hello(1...2, software: long), .connection, wrong(.hello, "software")),
            (hello(1...2, pins: 9), .connection, wrong(.hello, "pins")),
            (.report(Self.report("", freeBytes: .max)), .connection, wrong(.report, "freeBytes")),
            (
                .prove(Prove(size: 0, partBytes: 0, root: .zero, key: "k", readsBack: false)), Slot(1),
                wrong(.prove, "partBytes")
            ),
            (open(size: .max), Slot(1), wrong(.sessionOpen, "size")),
            (open(nanoseconds: 1_000_000_000), Slot(1), wrong(.sessionOpen, "modificationNanoseconds")),
            (
                open(key: String(repeating: "k", count: 5_000)), Slot(1),
                .frameTooLarge(type: 0x10, length: 5_065, maximum: 4_096)
            ),
            (open(key: String(repeating: "k", count: 70_000)), Slot(1), wrong(.sessionOpen, "key")),
            (.stored(Stored(part: one, etag: "")), Slot(1), wrong(.stored, "etag")),
            (.stored(Stored(part: one, etag: long)), Slot(1), wrong(.stored, "etag")),
            (.partDecision(PartDecision(part: one, decision: .have(etag: ""))), Slot(1), wrong(.partDecision, "etag")),
            (.resumeQuery(ResumeQuery(listedParts: 0, token: longToken)), Slot(1), wrong(.resumeQuery, "token")),
            (.abort(Abort(token: longToken)), Slot(1), wrong(.abort, "token")),
            (state(.ongoing, partials: 1_025), Slot(1), wrong(.resumeState, "partials")),
            (state(.ongoing, wanted: 10_001), Slot(1), wrong(.resumeState, "wanted")),
            (state(.lost, token: [1]), Slot(1), wrong(.resumeState, "token")),
            (.partsWanted(PartsWanted(parts: [])), Slot(1), wrong(.partsWanted, "count")),
            (.partsWanted(PartsWanted(parts: [two, one])), Slot(1), wrong(.partsWanted, "parts")),
            (.partList(PartList(entries: [entry(one), entry(one)], isLast: true)), Slot(1), wrong(.partList, "part")),
            (.partList(PartList(entries: [entry(one, long)], isLast: true)), Slot(1), wrong(.partList, "etag")),
            (.complete(Complete(root: .zero, partCount: 0, size: 0)), Slot(1), wrong(.complete, "partCount")),
            (
                .sessionExists(
                    SessionExists(
                        size: 0, partBytes: 0, evidence: .none, etag: "",
                        version: String(repeating: "v", count: 9_000), session: nil)), Slot(1),
                .frameTooLarge(type: 0x12, length: 9_040, maximum: 8_192)
            ),
        ]
        return try slotsThatDoNotFit() + others
    }

    private func slotsThatDoNotFit() throws -> [(Frame, Slot, WireError)] {
        let one = try #require(PartNumber(1))
        return [
            (.ping(Ping(nonce: 0)), Slot(1), .badSlot(type: .ping, slot: Slot(1))),
            (.aborted(Aborted()), .connection, .badSlot(type: .aborted, slot: .connection)),
            (
                .error(ErrorReport(scope: .connection, code: .idle, retryAfterMilliseconds: 0, message: "")), Slot(1),
                .badSlot(type: .error, slot: Slot(1))
            ),
            (
                .error(ErrorReport(scope: .part(one), code: .busy, retryAfterMilliseconds: 0, message: "")),
                .connection, .badSlot(type: .error, slot: .connection)
            ),
        ]
    }
}
