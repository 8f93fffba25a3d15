# SPDX-License-Identifier: Apache-2.0
"""A small Internet in a private network namespace.

    world.py     from declared domains to running DNS and SMTP servers
    zone.py      a zone and its signatures
    front.py     the recording, fault-making DNS server before Knot
    authority.py an authoritative server and its zones
    knot.py      Knot DNS, which holds the zones
    cert.py      certificates and their TLSA records
    behaviour.py what an SMTP receiver does, as data
    receiver.py  the scripted SMTP receiver
    dialogue.py  its side of one connection, and the record of it
    denial.py    NSEC and NSEC3 chains
    server.py    sealpostd: configuration, start, stop, its commands
    procs.py     processes that never outlive us
    netns.py     enters the namespace
"""
