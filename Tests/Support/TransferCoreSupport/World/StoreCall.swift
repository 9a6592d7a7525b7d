import TransferCommon
import TransferCore
import WireProtocol

/// One process of a gateway, between its start and its end.
struct StoreOrigin: Equatable {
    var gateway: Int
    var life: Int
}

/// One request to the store. It takes its bytes from a flow, takes effect, and answers.
final class StoreCall {
    private let store: VirtualStore
    private let request: StoreRequest
    private let flow: VirtualFlow?
    private let origin: StoreOrigin
    private let reportConsumed: (UInt64) -> Void
    private let reportAnswer: (StoreAnswer) -> Void
    /// Called when all bytes have arrived, before the request takes effect.
    var onBody: (([UInt8]) -> Void)?
    private var fault: StoreFault?
    private var body: [UInt8] = []
    /// The record that a renewal has read. The renewal writes this record again when it takes effect.
    private var recordRead: SessionRecord?
    private var isBodyWhole = false
    private var isAnswered = false

    /// - Parameters:
    ///   - origin: the gateway's process that makes the request.
    ///   - reportConsumed: called with the number of bytes that the request has taken from the flow so far.
    ///   - reportAnswer: called once, with the store's answer.
    init(
        _ request: StoreRequest, store: VirtualStore, flow: VirtualFlow?, origin: StoreOrigin,
        reportConsumed: @escaping (UInt64) -> Void, reportAnswer: @escaping (StoreAnswer) -> Void
    ) {
        self.request = request
        self.store = store
        self.flow = flow
        self.origin = origin
        self.reportConsumed = reportConsumed
        self.reportAnswer = reportAnswer
    }

    func begin() {
        fault = store.fault(for: request)
        if case .uploadVanishes = fault, let upload = request.upload { store.loseUpload(upload) }
        switch fault {
        case .fails(let failure):
            return store.schedule.after(store.latency) { self.answer(.failed(failure)) }
        case .deniesParts where request.kind == .complete:
            return store.schedule.after(store.latency) { self.answer(.failed(.partsInvalid([]))) }
        default:
            break
        }
        guard request.bytes != nil else { return bodyIsWhole() }
        guard let flow else { return answer(.failed(.cancelled)) }
        flow.onChange = { self.pump() }
        store.schedule.after(.zero) { self.pump() }
    }

    /// Cancels the request. A request whose bytes are complete continues, because a real store does not notice that its
    /// client has given up.
    func cancel() {
        guard !isBodyWhole else { return }
        store.schedule.after(.zero) { self.answer(.failed(.cancelled)) }
    }

    private func pump() {
        guard let flow, !isBodyWhole, !isAnswered else { return }
        if flow.isDropped {
            store.schedule.after(.zero) { self.answer(.failed(.cancelled)) }
            return
        }
        while let piece = flow.take() {
            body += piece
            let total = flow.bytesGiven
            store.schedule.after(.microseconds(1)) { self.reportConsumed(total) }
        }
        if flow.isWhole { bodyIsWhole() }
    }

    private func bodyIsWhole() {
        isBodyWhole = true
        recordRead = store.recordToRenew(request)
        onBody?(body)
        var (before, after) = (store.latency / 2, store.latency / 2)
        switch fault {
        case .delayed(let more): (before, after) = (before + more / 2, after + more / 2)
        case .slow(let effect, let answer): (before, after) = (before + effect, after + answer)
        case .conflicts(let gap) where request.condition != PutCondition.none && request.condition != nil:
            if let gap { store.schedule.after(before + gap) { self.landLate() } }
            return store.schedule.after(before + after) { self.answer(.failed(.conflict)) }
        default: break
        }
        store.schedule.after(before) {
            guard !self.isAnswered else { return }
            if case .completesInSteps(let gap) = self.fault, case .complete(_, let upload, _, _, _) = self.request {
                guard self.store.hide(upload) else { return self.takeEffect(answerAfter: after) }
                return self.store.schedule.after(gap) {
                    self.store.reveal(upload)
                    self.takeEffect(answerAfter: after)
                    // A store that completes in steps has already taken the upload away. If the condition fails, the
                    // store cannot restore the upload.
                    self.store.loseUpload(upload)
                }
            }
            self.takeEffect(answerAfter: after)
        }
    }

    /// Lets an earlier copy of this request take effect. The copy was still under way, and the store answered this
    /// request with a conflict because of it.
    private func landLate() {
        guard store.isAborted(request) else {
            _ = store.perform(request, body: body, from: origin)
            return
        }
        store.onAbortedConflict?(request)
    }

    private func takeEffect(answerAfter delay: Duration) {
        if fault == .leavesPart, case .abort(_, let upload) = request, store.removeAllPartsButTheLast(of: upload) {
            return store.schedule.after(delay) { self.answer(.done) }
        }
        if let recordRead { store.renew(recordRead, from: origin) }
        var answer = store.perform(request, body: body, from: origin)
        switch fault {
        case .listsNothing where store.isBeingAborted(request.upload): break
        case .listsWithout where store.isBeingAborted(request.upload): break
        case .failsAfterEffect(let failure): answer = .failed(failure)
        case .listsNothing:
            if case .parts = answer { answer = .parts([]) }
        case .listsWithout(let mask):
            guard case .parts(let entries) = answer else { break }
            answer = .parts(entries.filter { mask >> UInt64(min($0.part.value - 1, 63)) & 1 == 0 })
        default: break
        }
        store.schedule.after(delay) { self.answer(answer) }
    }

    private func answer(_ answer: StoreAnswer) {
        guard !isAnswered else { return }
        isAnswered = true
        flow?.onChange = nil
        reportAnswer(answer)
    }
}
