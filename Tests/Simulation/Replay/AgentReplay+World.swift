import NIOCore
import TransferCore
import TransferCoreSupport
import WireProtocol

extension AgentReplay: HostWorld {
    func sends(_ frame: Frame, slot: Slot, on id: ConnectionID, from agent: AgentHost) {
        guard let number = numbers[agent.number]?[id] else { return }
        if case .ping(let ping) = frame {
            // The agent may send PING at any time, so no line has it. Answer it here.
            var buffer = ByteBuffer()
            do {
                try Frame.pong(Pong(nonce: ping.nonce)).encode(slot: .connection, into: &buffer)
            } catch {
                violation("\(error)")
            }
            wires[number]?.write(buffer, .toAgent)
            return
        }
        if let part = frame.part {
            offered[OfferPlace(connection: number, part: part)] = slot
            credit.offer(PartPlace(slot: SlotPlace(connection: number, slot: slot), part: part))
        }
        sent.append(Sent(connection: number, slot: slot, what: .frame(frame)))
    }

    func sendsChunk(
        _ header: PartDataHeader, of upload: UploadID, on connection: ConnectionID, wireBytes: UInt64,
        from agent: AgentHost
    ) {
        guard let number = numbers[agent.number]?[connection] else { return }
        let range = header.offset..<header.offset + UInt64(header.plainBytes)
        guard let slot = offered[OfferPlace(connection: number, part: header.part)] else {
            return violation("the agent sent data of part \(header.part) before its offer")
        }
        let place = PartPlace(slot: SlotPlace(connection: number, slot: slot), part: header.part)
        if let objection = credit.send(range, of: place) { violation(objection) }
        sent.append(Sent(connection: number, slot: slot, what: .data(header.part, range)))
    }

    func violation(_ text: String) { violations.append(text) }

    func duration(of work: AgentWork, at agent: AgentHost) -> Duration {
        switch work {
        // In some conversations no line begins a use of a slot, so the agent must not begin one either. The agent
        // begins nothing before its journal has committed, so the replay makes the commit very slow.
        case .committing where script.isIdle: .seconds(3_600)
        // The agent joins a session on another connection only if the link is slow. So the replay makes the link slow
        // if the conversation has several connections open at once.
        case .sending where script.connectionsMax > 1: .milliseconds(100)
        default: .microseconds(10)
        }
    }

    func file(of upload: UploadID, at agent: AgentHost) -> VirtualFile? { files[upload] }

    func connect(_ id: ConnectionID, from agent: AgentHost) -> Wire? {
        let connections = script.runs[agent.number].connections
        let count = connectionCounts[agent.number, default: 0]
        guard count < connections.count else { return nil }
        connectionCounts[agent.number] = count + 1
        let wire = Wire(id: id, gatewayID: id, gateway: nowhere, agent: agent)
        wires[connections[count]] = wire
        numbers[agent.number, default: [:]][id] = connections[count]
        return wire
    }

    func commit(_ writes: [JournalWrite], of agent: AgentHost) -> UploadFailure? {
        for write in writes { journal.apply(write) }
        return nil
    }

    /// The replay sees the agent's bytes when they are sent, so they need not arrive.
    func arrival(of byteCount: Int, on wire: Wire, _ direction: Wire.Direction) -> Arrival {
        Arrival(pieces: direction == .toAgent ? [byteCount] : [])
    }

    func latency(of wire: Wire, _ direction: Wire.Direction) -> Duration { .zero }
}
