import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

// Values for events. They usually fit the earlier events, so that an input reaches deep states. Sometimes they do not
// fit, so that an input also reaches the gateway's refusals.

extension GatewayCourse {
    mutating func drawnHello() -> Hello {
        let choice = input.choice(16)
        let fingerprint = choice & 3 < 2 ? Self.devices[choice & 1].fingerprint : ToyDigest.sha256([9])
        let run = UInt64(choice >> 2)
        return Hello(
            versionMin: 1, versionMax: 1, capabilities: [], fingerprint: fingerprint, run: RunID(high: run, low: run),
            software: "a")
    }

    mutating func open(_ slot: UInt16, from id: ConnectionID) {
        let sizes: [UInt64?] = [0, 1, 900, 1_000, 1_001, 2_500, nil, 1 << 40]
        let size = sizes[input.choice(sizes.count)]
        let partBytes = [1_000, 1_000, 1_000, 16, 100_000, 0, UInt64.max][input.choice(7)]
        let key = ["file", "file", "b/c", "../b/x", "e\u{301}", "\u{e9}", ""][input.choice(7)]
        let detail = input.byte()
        let open = SessionOpen(
            session: SessionID(high: 0, low: UInt64(detail & 7)),
            terms: SessionTerms(
                key: key, size: size, partBytes: partBytes,
                modification: ModificationTime(seconds: Int64(detail >> 3 & 1), nanoseconds: 0),
                condition: Self.condition(detail >> 6)),
            compares: detail & 0x20 == 0)
        if let plan = PartPlan(fileBytes: size, partBytes: partBytes) {
            known[id, default: [:]][slot] = Known(plan: plan)
        }
        note(open)
        machine.handle(.frame(.sessionOpen(open), slot: Slot(slot), from: id, wallMilliseconds: 0), now: now)
    }

    private static func condition(_ choice: UInt8) -> WriteCondition {
        [.absent, .any, .matches(SessionID(high: 0, low: 0)), .matches(SessionID(high: 0, low: 1))][Int(choice & 3)]
    }

    private func plan(_ slot: UInt16, _ id: ConnectionID) -> PartPlan? {
        known[id]?[slot]?.plan ?? PartPlan(fileBytes: 2_500, partBytes: 1_000)
    }

    /// Equal parts have equal digests, unless the input selects a variant.
    private static func digest(_ part: PartNumber, variant: Int = 0) -> SHA256Digest {
        SHA256Digest(bytes: [UInt8](repeating: UInt8(truncatingIfNeeded: Int(part.value) + variant), count: 32))
            ?? ToyDigest.sha256([])
    }

    mutating func drawnOffer(_ slot: UInt16, from id: ConnectionID) -> PartOffer? {
        let choice = input.byte()
        let numbers: [UInt32] = [1, 2, 3, 4, 5, 10_000, .max, 1]
        guard let part = PartNumber(numbers[Int(choice & 7)]), let plan = plan(slot, id) else { return nil }
        let fitting = plan.bytes(of: part) ?? 1_000
        let size = choice & 0xE0 == 0xE0 ? UInt64([0, 1, 999, Int.max][Int(choice >> 3 & 3)]) : fitting
        let isLast = plan.isLast(part) != (choice & 0x60 == 0x20)
        return PartOffer(
            part: part, size: size, isLast: isLast,
            digest: Self.digest(part, variant: choice & 0x18 == 0x08 ? 1 : 0),
            md5: choice & 0x18 == 0x10 ? ToyDigest.md5([1]) : nil)
    }

    /// Lists the parts of the session in the slot, at most the first four.
    private func wholeList(_ slot: UInt16, _ id: ConnectionID, etag: String) -> [PartListEntry] {
        guard let plan = plan(slot, id) else { return [] }
        return (1...min(plan.partCount ?? 2, 4)).compactMap { value in
            PartNumber(value).map {
                PartListEntry(part: $0, size: plan.bytes(of: $0) ?? 0, digest: Self.digest($0), etag: etag)
            }
        }
    }

    mutating func drawnCompletion(_ slot: UInt16, from id: ConnectionID) -> Complete {
        let entries = wholeList(slot, id, etag: "e")
        let size = plan(slot, id)?.fileBytes ?? 2_000
        let choice = input.byte()
        return Complete(
            root: ToyDigest.root(entries.prefix(choice & 7 == 1 ? 1 : 4).compactMap(\.digest)),
            partCount: choice & 7 == 2 ? .max : UInt32(entries.count), size: choice & 7 == 3 ? .max : size)
    }

    mutating func drawnList(_ slot: UInt16, from id: ConnectionID) -> PartList {
        let choice = input.byte()
        var entries = wholeList(slot, id, etag: choice & 1 == 0 ? "e" : "f")
        switch choice >> 1 & 7 {
        case 1: entries = Array(entries.dropFirst())
        case 2: entries = Array(entries.dropLast())
        case 3: entries = []
        case 4: entries = Array(entries.prefix(1))
        case 5:
            entries = (1...200).compactMap { PartNumber($0) }.map {
                PartListEntry(part: $0, size: 1_000, digest: nil, etag: "e")
            }
        default: break
        }
        return PartList(entries: entries, isLast: choice >> 4 & 3 != 1)
    }

    mutating func drawnToken() -> [UInt8] {
        let choice = input.byte()
        if choice & 0xC0 == 0xC0, let device = Self.devices.first {
            // A token that an older gateway of the site could have sealed.
            let token = SessionToken(
                device: device.name, session: SessionID(high: 0, low: UInt64(choice & 7)),
                terms: SessionTerms(
                    key: "site/a/file", size: choice & 8 == 0 ? 2_500 : nil, partBytes: 1_000,
                    modification: ModificationTime(seconds: 0, nanoseconds: 0),
                    condition: Self.condition(choice & 1 | choice >> 4 & 2)),
                issuedMilliseconds: 0, upload: choice & 16 == 0 ? "u1" : "")
            if let plan = PartPlan(fileBytes: token.terms.size, partBytes: token.terms.partBytes) {
                plans[token.session, default: []].append(plan)
            }
            return token.encoded.flatMap { ToyCryptography().seal(token: $0) } ?? []
        }
        return tokens.isEmpty ? [choice] : tokens[Int(choice) % tokens.count]
    }

    // MARK: The store

    /// Returns the answer that a faultless store gives to a request.
    mutating func goodAnswer(_ request: StoreRequest) -> StoreAnswer {
        switch request {
        case .lookUpObject, .readObject: .object(nil)
        case .findRecords: .records([])
        case .writeRecord, .removeRecord, .abort, .renewRecord: .done
        case .createUpload: .uploadCreated(upload: "u1")
        case .listParts: .parts([])
        case .storePart: .partStored(etag: "e")
        case .storeObject, .complete: .objectStored(StoredObject(evidence: .none, etag: "e", version: ""))
        }
    }

    /// Draws an answer of a correct store, of a faulty store, or of an attacker. The answer need not fit the request.
    mutating func drawnAnswer(_ request: StoreRequest) -> StoreAnswer {
        let choice = input.byte()
        let etag = ["e", "f", "", String(repeating: "x", count: 1_025)][Int(choice >> 6)]
        let entries = drawnEntries(etag: etag)
        let session = choice & 0x20 == 0 ? nil : SessionID(high: 0, low: UInt64(choice >> 6))
        switch choice & 0x1F {
        case 0: return goodAnswer(request)
        case 1:
            return .object(
                ObjectSummary(
                    size: [0, 900, 2_500, .max][Int(choice >> 6)], partBytes: 1_000, evidence: .none, etag: etag,
                    version: "", session: session))
        case 2: return .records([drawnRecord(), drawnRecord()])
        case 3: return .parts(entries)
        case 4: return .partStored(etag: etag)
        case 5: return .objectStored(StoredObject(evidence: .compositeMD5(etag), etag: etag, version: etag))
        case 6: return .uploadCreated(upload: choice & 0x20 == 0 ? "" : String(repeating: "u", count: 5_000))
        case 7: return .failed(.uploadUnknown)
        case 8: return .failed(.unavailable(retryAfter: .seconds(Int64(choice >> 5))))
        case 9: return .failed(.unavailable(retryAfter: .seconds(Int64.max)))
        case 10: return .failed(.outcomeUnknown)
        case 11: return .failed(.partsInvalid(entries.map(\.part)))
        case 12: return .failed(.partsInvalid([]))
        case 13: return .failed(.keyTaken)
        case 14: return .failed(.digestMismatch)
        case 15: return .failed(.cancelled)
        case 16: return .failed(.keyUnsupported(message: String(repeating: "\u{e9}", count: 400)))
        case 17: return .failed(.full)
        case 18: return .failed(.denied)
        case 19: return .failed(.bucketMissing)
        case 20: return .failed(.refused(message: ""))
        case 21: return .object(objectWithEvidence(session))
        case 22: return .done
        case 23: return .failed(.objectGone)
        case 24: return .failed(.conflict)
        default: return goodAnswer(request)
        }
    }

    private func objectWithEvidence(_ session: SessionID?) -> ObjectSummary {
        let digests = (1...3).compactMap { PartNumber($0) }.map { Self.digest($0) }
        return ObjectSummary(
            size: 2_500, partBytes: 1_000, evidence: .root(ToyDigest.root(digests)), etag: "e", version: "",
            session: session)
    }

    private mutating func drawnEntries(etag: String) -> [PartListEntry] {
        (0..<input.choice(5)).compactMap { _ in
            let choice = input.byte()
            let numbers: [UInt32] = [1, 2, 3, 4, 5, 9_999, 10_001, .max]
            return PartNumber(numbers[Int(choice & 7)]).map {
                PartListEntry(
                    part: $0, size: [1_000, 500, 0, .max][Int(choice >> 3 & 3)],
                    digest: choice & 0x20 == 0 ? Self.digest($0) : nil, etag: etag)
            }
        }
    }

    private mutating func drawnRecord() -> SessionRecord {
        let choice = input.byte()
        return SessionRecord(
            device: choice & 1 == 0 ? "a" : "b", session: SessionID(high: 0, low: UInt64(choice >> 5)),
            terms: SessionTerms(
                key: choice & 2 == 0 ? "site/a/file" : "site/b/file", size: choice & 4 == 0 ? 2_500 : nil,
                partBytes: choice & 8 == 0 ? 1_000 : 0, modification: ModificationTime(seconds: 0, nanoseconds: 0),
                condition: Self.condition(choice >> 6)),
            upload: choice & 16 == 0 ? "u2" : nil)
    }
}
