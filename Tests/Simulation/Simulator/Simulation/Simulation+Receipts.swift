import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

// Receipts and PROVE: what a gateway signs must be true of an object that was under the key at that moment
// (specification §9.5, §9.6). The simulation also asks PROVE questions of its own. It sends them on the agents'
// connections, in a slot that no agent uses, and withholds the answers from the agents.

/// The objects that were stored, and the questions that the simulation itself has asked with PROVE. The simulation
/// checks receipts and answers against them.
struct ReceiptWatch {
    /// An object that was stored under a key.
    struct Placed {
        var at: Instant
        var object: VirtualStore.Object
    }

    struct Connection: Hashable {
        var gateway: Int
        var id: ConnectionID
    }

    var dice: Dice
    /// All objects that were ever stored under each key, in order.
    var objects: [String: [Placed]] = [:]
    var devices: [Connection: Int] = [:]
    /// The unanswered question of each connection.
    var questions: [Connection: (key: String, prove: Prove, at: Instant)] = [:]

    init(dice: Dice) {
        self.dice = dice
    }

    /// Whether an object for which `isLike` is true was under the key at any time after `since`.
    func holds(_ key: String, since: Instant, where isLike: (VirtualStore.Object) -> Bool) -> Bool {
        let placed = objects[key] ?? []
        return placed.indices.contains { index in
            let replacedAt = index + 1 < placed.count ? placed[index + 1].at : Instant(nanoseconds: .max)
            return replacedAt >= since && isLike(placed[index].object)
        }
    }
}

extension Scenario {
    mutating func drawSigning(_ dice: inout Dice) {
        hasReceipts = dice.percent(50)
        guard hasReceipts, dice.percent(30) else { return }
        let trigger = Trigger.request(.readObject, dice.number(1...4))
        let failure = dice.pick([StoreError.unavailable(retryAfter: .zero), .denied, .cancelled])
        faults.append(PlannedFault(trigger, .store(.fails(failure))))
    }
}

extension Simulation {
    /// Withholds the answers to the simulation's own questions from the agents.
    func installReceipts(on gateway: GatewayHost) {
        gateway.withholds = { [unowned self, unowned gateway] frame, slot in
            guard hasProveSlot(gateway), slot == proveSlot(gateway) else { return false }
            return switch frame {
            case .proven, .sessionRefused: true
            default: false
            }
        }
    }

    private func proveSlot(_ gateway: GatewayHost) -> Slot { Slot(gateway.machine.limits.slotsMax) }

    /// Whether the gateway grants so many slots that the agents leave the last one free for the simulation's questions.
    private func hasProveSlot(_ gateway: GatewayHost) -> Bool { gateway.machine.limits.slotsMax >= 16 }

    /// Plans, with some probability, a PROVE question about a job's object. The simulation asks it some time after this
    /// frame.
    func planProve(after frame: Frame, on id: ConnectionID, at gateway: GatewayHost) {
        let connection = ReceiptWatch.Connection(gateway: gateway.number, id: id)
        if case .hello(let hello) = frame {
            receipts.devices[connection] = scenario.devices.first { ToyDigest.sha256([UInt8($0)]) == hello.fingerprint }
        }
        guard hasProveSlot(gateway), let device = receipts.devices[connection],
            receipts.dice.percent(10)
        else { return }
        let number = receipts.dice.number(0...jobs.count - 1)
        let partBytes = UInt64(receipts.dice.pick([40, 50, Int(scenario.gatewayLimits.parts.partBytesDefault)]))
        let readsBack = receipts.dice.percent(60)
        schedule.after(.milliseconds(receipts.dice.moment())) { [unowned self] in
            guard !gateway.isDown, gateway.machine.isOpen(id), receipts.questions[connection] == nil,
                scenario.devices[jobs[number].agent] == device
            else { return }
            let bytes = jobs[number].file.bytes
            let evidence = VirtualEvidence.compute(bytes, partBytes: partBytes, like: .root(ToyDigest.root([])))
            guard case .root(let root) = evidence else { return }
            let prove = Prove(
                size: UInt64(bytes.count), partBytes: partBytes, root: root, key: scenario.jobs[number].key,
                readsBack: readsBack)
            receipts.questions[connection] = (jobs[number].key, prove, schedule.now)
            count("PROVE")
            let (now, slot) = (schedule.now, proveSlot(gateway))
            gateway.change {
                let wallMilliseconds = Int64(now.nanoseconds / 1_000_000)
                $0.handle(.frame(.prove(prove), slot: slot, from: id, wallMilliseconds: wallMilliseconds), now: now)
            }
        }
    }

    /// Checks that a gateway's receipts and its answers about objects are true.
    func checkReceipt(in frame: Frame, slot: Slot, on id: ConnectionID, at gateway: GatewayHost) {
        let connection = ReceiptWatch.Connection(gateway: gateway.number, id: id)
        switch frame {
        case .completed(let completed):
            guard completed.receipt != nil, let device = receipts.devices[connection] else { return }
            count("a receipt in COMPLETED")
            let key = scenario.prefix(ofDevice: device) + completed.location
            let isTrue = receipts.holds(key, since: Instant(nanoseconds: 0)) { object in
                Self.is(object, completed.size, completed.evidence, completed.partBytes, completed.etag)
            }
            if !isTrue { violation("gateway \(gateway.number) signs what was never stored under \(key)") }
        case .proven(let proven) where slot == proveSlot(gateway):
            guard let (key, prove, askedAt) = receipts.questions.removeValue(forKey: connection) else { return }
            guard case .proven(let told, let receipt) = proven else { return }
            count("PROVEN")
            if receipt == nil { violation("gateway \(gateway.number) proves and does not sign") }
            let isTrue = receipts.holds(key, since: askedAt) { object in
                let root = VirtualEvidence.compute(
                    object.bytes, partBytes: prove.partBytes, like: .root(prove.root))
                return root == .root(prove.root)
                    && Self.is(object, prove.size, told.evidence, told.partBytes, told.etag)
            }
            if !isTrue { violation("gateway \(gateway.number) proves what is not stored under \(key)") }
        case .sessionRefused where slot == proveSlot(gateway):
            receipts.questions[connection] = nil
        default:
            break
        }
    }

    private static func `is`(
        _ object: VirtualStore.Object, _ size: UInt64, _ evidence: ContentEvidence, _ partBytes: UInt64, _ etag: String
    ) -> Bool {
        UInt64(object.bytes.count) == size && object.summary.etag == etag
            && VirtualEvidence.compute(object.bytes, partBytes: partBytes, like: evidence) == evidence
    }
}
