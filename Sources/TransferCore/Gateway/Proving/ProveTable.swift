import TransferCommon
import WireProtocol

/// The PROVEs that are not answered yet (specification §9.6). Each takes memory and may cost the store a request, so
/// their number is bounded, in all and for one device.
struct ProveTable: Hashable {
    /// What the gateway does after an answer of the store.
    enum OnAnswer: Hashable {
        /// PROVEN was sent, so the slot is closed.
        case answered
        /// The gateway cannot answer the PROVE: it sends SESSION REFUSED in its slot.
        case refused(SessionRefused)
        /// The gateway reads the object back.
        case readBack(ReadBackQueue.Reading)
    }

    private var proves: [Attachment: GatewayProve] = [:]
    private var counts = Tally<SHA256Digest>()

    /// Begins a PROVE: asks the store what the key holds. Returns the refusal; `nil` if the slot carries the PROVE
    /// now.
    mutating func received(
        _ question: Prove, at attachment: Attachment, of device: AuthorisedDevice, _ context: inout GatewayContext
    ) -> SessionRefused? {
        let key: String
        do {
            key = try KeyRule.wholeKey(prefix: device.prefix, key: question.key)
        } catch {
            return SessionRefused(.keyInvalid, message: error.message)
        }
        // Reading the object back computes a digest for each part, so the number of parts is bounded: no session can
        // have had more than `partsMax`.
        guard let plan = PartPlan(fileBytes: question.size, partBytes: question.partBytes),
            let count = plan.partCount, count <= WireLimits.partsMax
        else {
            let message = "no file has more than \(WireLimits.partsMax) parts; this one would have more"
            return SessionRefused(.sizeUnsupported, message: message)
        }
        let limits = context.limits
        guard counts[device.fingerprint] < limits.provesPerDeviceMax, counts.total < limits.provesMax else {
            return .busy("as many objects are being proved as may be at once", limits)
        }
        let request = context.request(
            .lookUpObject(key: key, plan: plan), for: .prove(attachment, device: device.fingerprint))
        proves[attachment] = GatewayProve(
            question: question, key: key, plan: plan, device: device, phase: .lookingUp(request))
        counts.add(device.fingerprint)
        return nil
    }

    /// Whether a PROVE waits for this look-up: the agent may have left the slot, and use it for another PROVE.
    func awaits(_ request: StoreRequestID, at attachment: Attachment) -> Bool {
        proves[attachment]?.phase == .lookingUp(request)
    }

    /// Answers or refuses a PROVE whose object was looked up or read, or requests to read the object back. Returns
    /// `nil` if the slot carries no PROVE.
    mutating func received(
        _ answer: StoreAnswer, at attachment: Attachment, _ context: inout GatewayContext
    ) -> OnAnswer? {
        guard let prove = proves[attachment] else { return nil }
        guard case .object(let object) = answer else {
            remove(at: attachment)
            return .refused(context.advised(answer.refusal(in: .session)))
        }
        switch prove.judge(object, rootDigest: context.cryptography.rootDigest) {
        case .readBack(let object):
            proves[attachment]?.phase = .reading
            let content = ReadBackQueue.Content(key: prove.key, object, partBytes: prove.question.partBytes)
            return .readBack(
                ReadBackQueue.Reading(
                    reader: .prove(attachment), device: prove.device.fingerprint, content: content))
        case .answer(let outcome, let object):
            remove(at: attachment)
            let frame = Frame.proven(Self.proven(outcome, object, for: prove, &context))
            if frame.tellsOfObject { context.devices.giveBackBeginning(of: prove.device.fingerprint) }
            context.send(frame, to: attachment)
            return .answered
        }
    }

    private static func proven(
        _ outcome: GatewayProve.Outcome, _ object: ProvenObject?, for prove: GatewayProve,
        _ context: inout GatewayContext
    ) -> Proven {
        guard let object else { return .absent }
        switch outcome {
        case .absent: return .absent
        case .different: return .different(object)
        case .unknown: return .unknown(object)
        case .proven:
            return .proven(object, receipt: context.receipt(for: object, key: prove.key, device: prove.device))
        }
    }

    /// Removes a PROVE without an answer, because its slot is left or its connection has ended; `nil` if there is
    /// none.
    mutating func end(at attachment: Attachment) -> GatewayProve? { remove(at: attachment) }

    @discardableResult
    private mutating func remove(at attachment: Attachment) -> GatewayProve? {
        guard let prove = proves.removeValue(forKey: attachment) else { return nil }
        counts.remove(prove.device.fingerprint)
        return prove
    }
}
