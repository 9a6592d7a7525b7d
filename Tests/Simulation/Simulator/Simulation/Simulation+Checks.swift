import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

// Invariants of the whole simulation. The monitor has the checks of frames and requests between agents, gateways and
// store.

extension Simulation {
    /// Checks the store after each of its changes: every upload must have a record, and every object must be a version
    /// of its file.
    func storeChanged(key: String, object: VirtualStore.Object?) {
        operations += 1
        for upload in store.uploadsWithoutRecord where orphansReported.insert(upload).inserted {
            violation("\(upload) has no record by which cleaning would find it")
        }
        guard let object else { return }
        let digest = ToyDigest.sha256(object.bytes)
        if let replaced = keys.objects[key], let put = keys.puts[key]?.last {
            checkReplacement(of: replaced, putAt: put.at, by: object, key: key)
        }
        keys.objects[key] = object
        receipts.objects[key, default: []].append(ReceiptWatch.Placed(at: schedule.now, object: object))
        note(
            15, UInt64(object.bytes.count), digest.bytes.reduce(0) { $0 &* 31 &+ UInt64($1) }, "an object is at \(key)")
        keys.puts[key, default: []].append(KeyHistory.Put(digest: digest, at: schedule.now))
        let writers = jobs.indices.filter { jobs[$0].key == key }
        guard keys.foreign[key]?.contains(digest) != true else { return }
        guard writers.contains(where: { jobs[$0].file.versions.contains(digest) }) else {
            return violation("the object at \(key) is no version of its file")
        }
        for number in writers where jobs[number].isSoleWriter { checkOrder(of: number, digest) }
    }

    /// Checks that no device exceeds its limits. Called after every action of a gateway. The gateway's host checks that
    /// all bytes held are reserved, and that all devices together stay within the budget.
    func checkDeviceLimits(of gateway: GatewayHost) {
        let site = scenario.gatewayLimits
        // The gateway does not know a revoked device any more, and is releasing what the device held. So the device's
        // limits do not apply.
        for device in devices where gateway.machine.knows(device.fingerprint) {
            let use = gateway.machine.use(of: device.fingerprint)
            let found = [
                ("connections", UInt64(use.connections), device.limits.connectionsMax ?? site.connectionsPerDeviceMax),
                ("sessions", UInt64(use.sessions), device.limits.sessionsMax ?? site.sessionsPerDeviceMax),
                (
                    "bytes reserved", use.bytesReserved,
                    Int(device.limits.budgetBytes ?? site.budgetBytesPerDevice)
                ),
            ]
            for (what, count, most) in found where count > UInt64(most) {
                violation("\(device.name) has \(count) \(what) at gateway \(gateway.number), and may have \(most)")
            }
        }
    }

    /// Checks every receipt that an agent writes to its journal: a gateway must have signed it, and the user must have
    /// requested a receipt for that file.
    func checkReceipt(in write: JournalWrite, agent: Int) {
        let kept: StoredReceipt
        switch write {
        case .receipt(let receipt): kept = receipt
        case .finished(_, .stored(let stored, _)):
            guard case .kept(let receipt) = stored.signed else { return }
            kept = receipt
        default: return
        }
        count("receipts kept")
        guard ToyCryptography().isSignature(kept.signature, of: kept.statement, by: kept.publicKey) else {
            return violation("agent \(agent) keeps a receipt that no gateway has signed")
        }
        do throws(ReceiptStatementError) {
            let key = try kept.content().key
            let isWanted = jobs.indices.contains { number in
                jobs[number].agent == agent && jobs[number].key == key && scenario.jobs[number].wantsReceipt
            }
            if !isWanted { violation("agent \(agent) keeps a receipt of \(key), which it does not want") }
        } catch {
            violation("agent \(agent) keeps a receipt that cannot be read")
        }
    }

    private func checkOrder(of number: Int, _ digest: SHA256Digest) {
        let state = jobs[number]
        guard !state.hasForgotten, let version = state.file.versions.lastIndex(of: digest) else { return }
        for put in (keys.puts[state.key] ?? []).dropLast() {
            guard let earlier = state.file.versions.firstIndex(of: put.digest), earlier > version else { continue }
            guard !landsUnchecked else {
                return count("a slow completion lands after another where conditions are not checked")
            }
            return violation("job \(number): version \(version) is put over version \(earlier)")
        }
    }

    /// Checks an agent's report that a file is stored: an object with the file's content must have been under the key.
    func checkReport(of number: Int) {
        let state = jobs[number]
        let puts = keys.puts[state.key] ?? []
        let eligible = Set(state.file.versions[state.submittedVersion...])
        let isThere = puts.indices.contains { index in
            // The report is correct if the key held the object at some time after the file was submitted. If other
            // writers use the key, an object that the key held only before that time is accepted, too.
            let wasReplacedAt = index + 1 < puts.count ? puts[index + 1].at : schedule.now
            return eligible.contains(puts[index].digest)
                && (!state.isSoleWriter || wasReplacedAt >= state.submittedAt)
        }
        // Two copies of an agent may share a session and have different files of equal size and time. If the store
        // keeps no digests, these files cannot be distinguished.
        let isUndecidable = scenario.hasCopies && store.keeping != .digests
        guard isThere || isUndecidable else {
            return violation("job \(number) is reported as stored, but its file is missing")
        }
        guard state.isSoleWriter, let last = puts.last else { return }
        jobs[number].reportedVersion = state.file.versions.lastIndex(of: last.digest)
    }

    /// Checks an agent's report that the key is taken. The key must hold other content than the file, or there must be
    /// no evidence of the object's content.
    func checkRefusal(of number: Int, _ failure: UploadFailure) {
        let state = jobs[number]
        let policy = state.submittedPolicy
        guard policy != .fail, state.isSoleWriter, !state.isStream else { return }
        guard let object = store.object(state.key) else {
            return violation("job \(number): the key is reported as taken, but there is no object")
        }
        guard object.summary.evidence != .none || store.keeping == .nothingButReadsBack else { return }
        checkGrowth(of: number, object)
        let versions = state.file.versions[state.submittedVersion...]
        if policy == .replace || Set(versions) == [ToyDigest.sha256(object.bytes)] {
            violation("job \(number): the key is reported as taken by other content: \(failure.message)")
        }
    }

    /// Checks the final state, after all uploads have ended.
    func checkEnd() {
        for (number, state) in jobs.enumerated() {
            if let version = state.reportedVersion, !state.hasForgotten, state.isSoleWriter,
                let object = store.object(state.key),
                let there = state.file.versions.lastIndex(of: ToyDigest.sha256(object.bytes)), there < version
            {
                violation("job \(number): version \(version) was stored, and version \(there) is there")
            }
            let size = UInt64(state.sizeMost)
            let underWay = UInt64(scenario.agentLimits.concurrency + 1) * max(state.partBytesMost, 1)
            let wanted = UInt64(monitor.wantedCounts[state.agent] ?? 0) * state.partBytesMost
            let allowed =
                size * UInt64(max(state.sessionsBegun, 1)) + wanted
                + UInt64(disturbances[state.agent]) * min(underWay, size)
            if state.bytesSent > allowed {
                violation("job \(number) sent \(state.bytesSent) bytes of \(size); \(allowed) are allowed")
            }
        }
        guard scenario.faults.isEmpty, !scenario.hasCopies, jobs.allSatisfy(\.isSoleWriter) else { return }
        if store.uploadCount + store.recordCount > 0 { violation("nothing went wrong, and something is left") }
    }
}
