package import NIOCore
import TransferCommon
package import TransferCore
import WireProtocol

/// One connection between an agent and a gateway: two streams of bytes, each in order, with a delay; and its cuts.
package final class Wire {
    package enum Direction: Sendable {
        case toGateway
        case toAgent
    }

    private let schedule: Schedule
    /// The number by which the agent knows it.
    package let id: ConnectionID
    package let gateway: GatewayHost
    /// The number by which the gateway knows it.
    package let gatewayID: ConnectionID
    package private(set) weak var agent: AgentHost?
    /// Which of the agent's processes it belongs to.
    private let agentLife: Int
    private unowned let world: any HostWorld
    package private(set) var isCutAtAgent = false
    package private(set) var isCutAtGateway = false
    /// What is under way is lost, and so is what is written from now on.
    private var isBroken = false
    /// Bytes on their way to the gateway, and how many of them still arrive where the rest was torn off.
    private var bytesToGateway = 0
    private var bytesToGatewayLeft: Int?
    /// When the last bytes of each direction arrive: nothing overtakes them.
    private var lastArrivals: (toGateway: Instant, toAgent: Instant)

    package init(id: ConnectionID, gatewayID: ConnectionID, gateway: GatewayHost, agent: AgentHost) {
        self.id = id
        self.gatewayID = gatewayID
        self.gateway = gateway
        self.agent = agent
        self.agentLife = agent.life
        self.world = gateway.world
        self.schedule = gateway.world.schedule
        self.lastArrivals = (schedule.now, schedule.now)
    }

    private func arrivalTime(_ direction: Direction) -> Instant {
        let moment = schedule.now + world.latency(of: self, direction)
        switch direction {
        case .toGateway:
            lastArrivals.toGateway = max(lastArrivals.toGateway, moment)
            return lastArrivals.toGateway
        case .toAgent:
            lastArrivals.toAgent = max(lastArrivals.toAgent, moment)
            return lastArrivals.toAgent
        }
    }

    /// Bytes that were written together arrive together, unless the world has it otherwise.
    package func write(_ bytes: ByteBuffer, _ direction: Direction) {
        if direction == .toGateway { bytesToGateway += bytes.readableBytes }
        schedule.at(arrivalTime(direction)) { self.deliver(bytes, direction) }
    }

    /// Whatever is written from now on arrives only after a while.
    package func stall(_ duration: Duration) {
        lastArrivals.toGateway = max(lastArrivals.toGateway, schedule.now + duration)
        lastArrivals.toAgent = max(lastArrivals.toAgent, schedule.now + duration)
    }

    /// One side closes in order: what it wrote arrives first.
    package func close(from direction: Direction) {
        schedule.at(arrivalTime(direction)) {
            guard !self.isBroken else { return }
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

    /// The connection is gone at both ends, or at one of them only.
    package func end(_ ending: Arrival.Ending) {
        isBroken = true
        if ending == .cut || ending == .cutAtAgent { cutAtAgent() }
        if ending == .cut || ending == .cutAtGateway { cutAtGateway() }
    }

    /// The agent's process is gone, and its machine stays: what it wrote arrives, and nothing is heard of it after.
    func abandonAgent() {
        isCutAtAgent = true
    }

    /// Of what is on its way to the gateway only a beginning arrives, wherever in a frame that ends.
    func tear(keepingPercent percent: Int) {
        bytesToGatewayLeft = bytesToGateway * percent / 100
    }

    private func cutAtGateway() {
        guard !isCutAtGateway else { return }
        isCutAtGateway = true
        // Whoever is doing something now finishes that first.
        schedule.after(.zero) { self.gateway.connectionLost(self.gatewayID) }
    }

    private func cutAtAgent() {
        guard !isCutAtAgent else { return }
        isCutAtAgent = true
        schedule.after(.zero) {
            guard let agent = self.agent, agent.life == self.agentLife else { return }
            agent.connectionLost(self.id)
        }
    }

    private func deliver(_ bytes: ByteBuffer, _ direction: Direction) {
        let isGone = direction == .toGateway ? isCutAtGateway : isCutAtAgent
        guard !isGone, !isBroken else { return }
        var bytes = bytes
        if direction == .toGateway {
            bytesToGateway -= bytes.readableBytes
            if let left = bytesToGatewayLeft {
                bytes = bytes.readSlice(length: min(left, bytes.readableBytes)) ?? ByteBuffer()
                bytesToGatewayLeft = left - bytes.readableBytes
                guard bytes.readableBytes > 0 else { return }
            }
        }
        let arrival = world.arrival(of: bytes.readableBytes, on: self, direction)
        for count in arrival.pieces {
            // What arrived may have ended the connection.
            guard let piece = bytes.readSlice(length: count), !isBroken else { break }
            switch direction {
            case .toGateway: gateway.received(piece, from: gatewayID)
            case .toAgent: agent?.received(piece, from: id)
            }
        }
        if let ending = arrival.ending { end(ending) }
    }
}
