import TransferCore

/// One request on its way through the store: its bytes taken from their flow, its effect, its answer.
final class StoreCall {
    private let store: VirtualStore
    private let request: StoreRequest
    private let flow: VirtualFlow?
    private let reportConsumed: (UInt64) -> Void
    private let reportAnswer: (StoreAnswer) -> Void
    private var fault: StoreFault?
    private var body: [UInt8] = []
    private var isBodyWhole = false
    private var isAnswered = false

    /// - Parameters:
    ///   - reportConsumed: called with the bytes taken of the flow, counted from its start.
    ///   - reportAnswer: called once.
    init(
        _ request: StoreRequest, store: VirtualStore, flow: VirtualFlow?,
        reportConsumed: @escaping (UInt64) -> Void, reportAnswer: @escaping (StoreAnswer) -> Void
    ) {
        self.request = request
        self.store = store
        self.flow = flow
        self.reportConsumed = reportConsumed
        self.reportAnswer = reportAnswer
    }

    func begin() {
        fault = store.fault(for: request.kind)
        if case .uploadVanishes = fault, let upload = request.upload { store.uploads[upload] = nil }
        if case .fails(let failure) = fault {
            store.schedule.after(store.latency) { self.answer(.failed(failure)) }
            return
        }
        guard request.bytes != nil else { return bodyIsWhole() }
        guard let flow else { return answer(.failed(.cancelled)) }
        flow.onChange = { self.pump() }
        store.schedule.after(.zero) { self.pump() }
    }

    /// What has all its bytes goes on: a store does not know that nobody waits for it any more.
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
        var delay = store.latency
        if case .delayed(let more) = fault { delay += more }
        store.schedule.after(delay / 2) {
            guard !self.isAnswered else { return }
            var answer = self.store.perform(self.request, body: self.body)
            if case .failsAfterEffect(let failure) = self.fault { answer = .failed(failure) }
            if case .listsNothing = self.fault, case .parts = answer { answer = .parts([]) }
            self.store.schedule.after(delay / 2) { self.answer(answer) }
        }
    }

    private func answer(_ answer: StoreAnswer) {
        guard !isAnswered else { return }
        isAnswered = true
        flow?.onChange = nil
        reportAnswer(answer)
    }
}
