package import NIOCore
import TransferCommon
package import TransferCore
import WireProtocol

/// One connection between an agent and a gateway: a delayed, ordered byte stream in each direction, and its faults.
package final class Wire {
    package enum Direction: Sendable {
        case toGateway
        case toAgent
    }

    private let schedule: Schedule
    /// The number that the agent has given the connection.
    package let id: ConnectionID
    package let gateway: GatewayHost
    /// The number that the gateway has given the connection.
    package let gatewayID: ConnectionID
    package private(set) weak var agent: AgentHost?
    private let agentLife: Int
    private unowned let world: any HostWorld
    package private(set) var isCutAtAgent = false
    package private(set) var isCutAtGateway = false
    /// Whether the bytes in flight, and all bytes that are written later, are lost.
    private var isBroken = false
    /// Bytes in flight to the gateway. After the connection was torn, `bytesToGatewayLeft` says how many of them still
    /// arrive.
    private var bytesToGateway = 0
    private var bytesToGatewayLeft: Int?
    /// When the last bytes in each direction arrive; later bytes do not overtake them.
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

    /// Sends bytes. They arrive together, unless the simulation splits them.
    package func write(_ bytes: ByteBuffer, _ direction: Direction) {
        if direction == .toGateway { bytesToGateway += bytes.readableBytes }
        schedule.at(arrivalTime(direction)) { self.deliver(bytes, direction) }
    }

    /// Delays all bytes that are written from now on.
    package func stall(_ duration: Duration) {
        lastArrivals.toGateway = max(lastArrivals.toGateway, schedule.now + duration)
        lastArrivals.toAgent = max(lastArrivals.toAgent, schedule.now + duration)
    }

    /// Closes the connection in an orderly way from one side: bytes in flight arrive first.
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

    /// Ends the connection at one end or at both. Bytes in flight are lost.
    package func end(_ ending: Arrival.Ending) {
        isBroken = true
        if ending == .cut || ending == .cutAtAgent { cutAtAgent() }
        if ending == .cut || ending == .cutAtGateway { cutAtGateway() }
    }

    /// Lets the agent's process die without a notice to the gateway: bytes in flight arrive, and then the connection
    /// stays silent.
    func abandonAgent() {
        isCutAtAgent = true
    }

    /// Lets only a percentage of the bytes in flight to the gateway arrive. The last frame may be cut.
    func tear(keepingPercent percent: Int) {
        bytesToGatewayLeft = bytesToGateway * percent / 100
    }

    private func cutAtGateway() {
        guard !isCutAtGateway else { return }
        isCutAtGateway = true
        // The gateway learns of the loss only after the event that is running now.
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
            // The delivered bytes may have ended the connection.
            guard let piece = bytes.readSlice(length: count), !isBroken else { break }
            switch direction {
            case .toGateway: gateway.received(piece, from: gatewayID)
            case .toAgent: agent?.received(piece, from: id)
            }
        }
        if let ending = arrival.ending { end(ending) }
    }
}
