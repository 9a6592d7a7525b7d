import NIOCore
import TransferCore
import WireProtocol

/// One connection between an agent and a gateway: two streams of bytes, each in order, with a delay; and its cuts.
final class Wire {
    enum Direction {
        case toGateway
        case toAgent
    }

    private let schedule: Schedule
    private let latency: Duration
    let id: ConnectionID
    let gateway: GatewayHost
    /// The number by which the gateway knows it.
    let gatewayID: ConnectionID
    private weak var agent: AgentHost?
    private weak var pair: Pair?
    private(set) var isCutAtAgent = false
    private(set) var isCutAtGateway = false
    /// What is under way is lost.
    private var isBroken = false

    init(id: ConnectionID, gatewayID: ConnectionID, gateway: GatewayHost, agent: AgentHost, pair: Pair) {
        self.id = id
        self.gatewayID = gatewayID
        self.gateway = gateway
        self.agent = agent
        self.pair = pair
        self.schedule = pair.schedule
        self.latency = pair.options.latency
    }

    /// Bytes that were written together arrive together, or half of them where the cut falls into them.
    func write(_ bytes: ByteBuffer, _ direction: Direction) {
        schedule.after(latency) { self.deliver(bytes, direction) }
    }

    /// One side closes in order: what it wrote arrives first.
    func close(from direction: Direction) {
        schedule.after(latency) {
            switch direction {
            case .toGateway: self.cutAtGateway()
            case .toAgent: self.cutAtAgent()
            }
        }
        switch direction {
        case .toGateway: isCutAtAgent = true
        case .toAgent: isCutAtGateway = true
        }
    }

    /// The connection is gone at both ends, or first at the agent's only.
    func cut(leavingGateway: Bool = false) {
        isBroken = true
        if leavingGateway { pair?.leavesStaleConnections = true }
        cutAtAgent()
        if !leavingGateway { cutAtGateway() }
    }

    func cutAtGateway() {
        guard !isCutAtGateway else { return }
        isCutAtGateway = true
        gateway.connectionLost(gatewayID)
    }

    private func cutAtAgent() {
        guard !isCutAtAgent else { return }
        isCutAtAgent = true
        agent?.connectionLost(id)
    }

    private func deliver(_ bytes: ByteBuffer, _ direction: Direction) {
        let isGone = direction == .toGateway ? isCutAtGateway : isCutAtAgent
        guard !isGone, !isBroken else { return }
        let cut = pair?.cutFalls(direction) ?? nil
        var bytes = bytes
        if cut != nil { bytes = bytes.getSlice(at: bytes.readerIndex, length: bytes.readableBytes / 2) ?? ByteBuffer() }
        switch direction {
        case .toGateway: gateway.received(bytes, from: gatewayID)
        case .toAgent: agent?.received(bytes, from: id)
        }
        if let cut { self.cut(leavingGateway: cut.leavesGateway) }
    }
}
