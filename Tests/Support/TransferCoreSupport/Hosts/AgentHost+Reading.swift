import TransferCommon
import TransferCore
import WireProtocol

// Simulated reads. During a read the file may change or become shorter, or the read may fail.

extension AgentHost {
    func read(_ key: PartKey, start: UInt64, bytes: UInt64, withMD5: Bool, keep: Bool) {
        lastRead += 1
        readCount += 1
        let number = lastRead
        reads[key] = number
        if streams[key.upload] != nil { return readStream(key, number, start: start, bytes: bytes, keep: keep) }
        let before = world.file(of: key.upload, at: self)?.stamp
        var failure = world.reading(key.upload, reaches: .start, at: self)
        var content = world.file(of: key.upload, at: self)?.read(start: start, count: bytes / 2)
        later(.reading) { host in
            guard host.reads[key] == number else { return }
            host.reads[key] = nil
            failure = failure ?? host.world.reading(key.upload, reaches: .middle, at: host)
            let half = host.world.file(of: key.upload, at: host)?
                .read(start: start + bytes / 2, count: bytes - bytes / 2)
            content = half.flatMap { half in content.map { $0 + half } }
            failure = failure ?? host.world.reading(key.upload, reaches: .end, at: host)
            guard let file = host.world.file(of: key.upload, at: host), let before else { return }
            var reading = PartReading.truncated
            if let failure {
                reading = .failed(failure)
            } else if let content {
                if keep { host.held[key] = (start, host.keepsParts ? content : nil) }
                reading = .read(
                    digest: ToyDigest.sha256(content), md5: withMD5 ? ToyDigest.md5(content) : nil, stamp: file.stamp)
            }
            if let tamper = host.tamperReading { reading = tamper(before, reading) }
            host.machine.handle(.partRead(key.part, of: key.upload, reading), now: host.now)
        }
    }

    /// Only the last part of a stream may be shorter than requested.
    private func readStream(_ key: PartKey, _ number: Int, start: UInt64, bytes: UInt64, keep: Bool) {
        let failure = world.reading(key.upload, reaches: .start, at: self)
        later(.reading) { host in
            guard host.reads[key] == number, let file = host.world.file(of: key.upload, at: host) else { return }
            host.reads[key] = nil
            let all = UInt64(file.bytes.count)
            let count = min(bytes, all - min(start, all))
            guard failure == nil, host.streams[key.upload] == start, let content = file.read(start: start, count: count)
            else {
                let reason = failure ?? UploadFailure(.sessionLost, "a stream cannot be read again")
                return host.machine.handle(
                    .partRead(key.part, of: key.upload, .failed(reason)), now: host.now)
            }
            host.streams[key.upload] = start + count
            // The host keeps a stream's bytes until they are stored, because a stream cannot be read again.
            host.held[key] = (start, content)
            let reading = PartReading.readOfStream(
                digest: ToyDigest.sha256(content), md5: nil, bytes: count, isLast: start + count == all)
            host.machine.handle(.partRead(key.part, of: key.upload, reading), now: host.now)
        }
    }

    func compute(_ upload: UploadID, bytes: UInt64, partBytes: UInt64, like: ContentEvidence) {
        var failure = world.reading(upload, reaches: .start, at: self)
        later(.reading) { host in
            guard let file = host.world.file(of: upload, at: host) else { return }
            let beginning = Array(file.bytes.prefix(Int(clamping: bytes)))
            let computed = VirtualEvidence.compute(beginning, partBytes: partBytes, like: like)
            let evidence = host.tamperEvidence.map { $0(like) } ?? computed
            if beginning.count < bytes {
                failure = failure ?? UploadFailure(.changed, "the file was cut short while it was being read")
            }
            failure = failure ?? host.world.reading(upload, reaches: .end, at: host)
            let reading = failure.map { EvidenceReading.failed($0) } ?? .computed(evidence, stamp: file.stamp)
            host.machine.handle(.evidenceComputed(reading, of: upload), now: host.now)
        }
    }
}
