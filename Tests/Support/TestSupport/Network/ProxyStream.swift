import NIOCore
import NIOPosix

/// One direction of one connection through a ``FaultProxy``.
///
/// Bytes wait in `held` until the passage, the delay, the rate and the receiver's socket allow a write. Whenever one of
/// these four changes, ``pass()`` is called. It writes as much as possible, and schedules another call if only time has
/// to pass.
final class ProxyStream {
    /// How the sending end stopped sending.
    enum Ending {
        case endOfFile
        case reset
    }

    private struct Held {
        var bytes: ByteBuffer
        let due: NIODeadline
    }

    private let end: ProxyEnd
    private let link: ProxyLink
    private let core: FaultProxyCore

    private var held = CircularBuffer<Held>()
    private var heldBytes = 0
    private var ending: Ending?
    private(set) var isEndingDelivered = false
    private var isDestinationLost = false
    private var isStopped = false
    private var isPassing = false
    private var unfinishedWrites = 0
    private var forwardedBytes = 0

    /// The slice whose share of the rate is already reserved.
    private var reserved: (bytes: Int, departure: NIODeadline)?
    private var wakeUp: Scheduled<Void>?

    init(towards end: ProxyEnd, link: ProxyLink) {
        self.end = end
        self.link = link
        self.core = link.core
    }

    private var faults: DirectionFaults { core.faults[towards: end] }

    // MARK: - Events

    func received(_ bytes: ByteBuffer) {
        guard !isStopped else { return }
        let due = NIODeadline.now() + TimeAmount(faults.delay)
        // A shortened delay must not let later bytes overtake earlier ones.
        held.append(Held(bytes: bytes, due: max(due, held.last?.due ?? due)))
        heldBytes += bytes.readableBytes
        let heldBytes = heldBytes
        updateCounts { counts in
            counts.bytesRead += bytes.readableBytes
            counts.bytesHeldMax = max(counts.bytesHeldMax, heldBytes)
        }
    }

    /// Notes how the sending end has ended. A reset may follow an end of file, if the socket was closed completely and
    /// then receives data.
    func sourceEnded(_ ending: Ending) {
        guard self.ending == nil || (self.ending == .endOfFile && ending == .reset) else { return }
        self.ending = ending
        isEndingDelivered = false
        pass()
    }

    func destinationLost() {
        isDestinationLost = true
        pass()
    }

    func faultsChanged() {
        reserved = nil
        pass()
    }

    func stop() {
        isStopped = true
        loseHeldBytes()
        wakeUp?.cancel()
    }

    // MARK: - Forwarding

    func pass() {
        // A write may report writability before it returns, and so call this method again. Do not pass bytes in that
        // call.
        guard !isStopped, !isPassing else { return }
        isPassing = true
        defer { isPassing = false }
        wakeUp?.cancel()
        wakeUp = nil
        if faults.passage == .vanishing || isDestinationLost {
            loseHeldBytes()
        }
        if faults.passage == .forwarding {
            passSlices()
        }
        guard !isStopped else { return }
        deliverEnding()
        readMore()
    }

    private func passSlices() {
        while !isStopped, let first = held.first, let channel = link.channel(end), channel.isWritable {
            let now = NIODeadline.now()
            guard first.due <= now else { return sleep(until: first.due) }
            let slice = reserved ?? reserveSlice(of: first.bytes)
            guard slice.departure <= now else {
                reserved = slice
                return sleep(until: slice.departure)
            }
            write(bytes: slice.bytes)
        }
    }

    private func reserveSlice(of bytes: ByteBuffer) -> (bytes: Int, departure: NIODeadline) {
        var count = core.sliceBytes(available: bytes.readableBytes, towards: end)
        if let connectionBytesMax = faults.connectionBytesMax {
            count = max(0, min(count, connectionBytesMax - forwardedBytes))
        }
        return (count, core.reserveRate(bytes: count, towards: end))
    }

    private func write(bytes: Int) {
        reserved = nil
        let charged = core.chargeArrangedCut(bytes: bytes, towards: end)
        forwardedBytes += charged.bytes
        let isLast = faults.connectionBytesMax.map { forwardedBytes >= $0 } ?? false
        if isLast || charged.cutAll != nil {
            // Write nothing more while the last bytes before a cut are on their way to the socket.
            isStopped = true
        }
        guard let channel = link.channel(end), let slice = takeHeld(bytes: charged.bytes) else { return }
        unfinishedWrites += 1
        channel.writeAndFlush(slice).assumeIsolated().whenComplete { [self] result in
            unfinishedWrites -= 1
            switch result {
            case .success:
                updateCounts { counts in
                    counts.bytesForwarded += slice.readableBytes
                    counts.writes += 1
                }
            case .failure:
                updateCounts { $0.bytesLost += slice.readableBytes }
            }
            if let cut = charged.cutAll {
                core.cutAll(by: cut)
            } else if isLast {
                link.cut(by: core.faults.cut)
            } else if link.isOpen {
                deliverEnding()
            }
        }
    }

    private func takeHeld(bytes: Int) -> ByteBuffer? {
        guard !held.isEmpty else { return nil }
        let slice = held[held.startIndex].bytes.readSlice(length: bytes)
        if held[held.startIndex].bytes.readableBytes == 0 {
            held.removeFirst()
        }
        heldBytes -= bytes
        return slice
    }

    private func deliverEnding() {
        guard let ending, !isEndingDelivered, held.isEmpty, unfinishedWrites == 0, faults.passage == .forwarding else {
            return
        }
        isEndingDelivered = true
        link.deliver(ending, to: end)
    }

    private func readMore() {
        guard ending == nil, heldBytes < FaultProxy.heldBytesMax, link.channel(.upstream) != nil || isDestinationLost
        else {
            return
        }
        link.channel(end.opposite)?.read()
    }

    private func loseHeldBytes() {
        let lost = heldBytes
        held.removeAll()
        heldBytes = 0
        reserved = nil
        if lost > 0 {
            updateCounts { $0.bytesLost += lost }
        }
    }

    private func sleep(until time: NIODeadline) {
        wakeUp = core.eventLoop.assumeIsolated().scheduleTask(deadline: time) { [weak self] in self?.pass() }
    }

    private func updateCounts(_ change: (inout DirectionCounts) -> Void) {
        core.counts.update { change(&$0[towards: end]) }
    }
}
