"""The annex to the contract with the agency, which processes data for the client (article 15 bis)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reconciler.papers.retention import retention_table
from reconciler.papers.subject import ACT, IN_FORCE, PaperSubject
from reconciler.papers.subprocessors import subprocessors_table
from reconciler.render.sections import Section


def annex_sections(subject: PaperSubject) -> Sequence[Section]:
    """The paper's."""
    return [
        Section(
            "Partes y objeto",
            paragraphs=[
                f"Responsable: {subject.name}, [RUT y representante]. Encargado: {subject.agency}, [RUT y "
                "representante].",
                "El encargado opera para el responsable un asistente de WhatsApp en el número "
                f"{subject.client.number}: "
                "recibe los mensajes, los hace responder por un modelo de lenguaje según las instrucciones del "
                "responsable, y guarda la conversación.",
                "Duración: la del contrato de servicio [fecha o número]. Finalidad: solo la descrita aquí.",
            ],
        ),
        Section("Tipo de datos y categorías de personas", items=list(_data(subject))),
        Section(
            "Instrucciones",
            items=[
                f"El manifiesto del cliente ({subject.manifest.path}) y sus documentos son las instrucciones escritas; "
                "cada cambio queda en la historia del repositorio y en la del servicio.",
                "El encargado no usa los datos para otro fin, no los cruza entre clientes, ni entrena modelos con "
                "ellos.",
            ],
        ),
        Section(
            "Subencargados autorizados",
            table=subprocessors_table(subject),
            paragraphs=[
                "El responsable autoriza por escrito a cada uno. Uno nuevo se propone antes de usarlo: el plan de "
                "cambios "
                "lo señala, y la autorización se anota en el manifiesto («data.recipients»).",
            ],
        ),
        Section(
            "Seguridad y secreto",
            items=[
                "Acceso con credenciales personales y alcance limitado; registro de cada lectura y cada cambio, que "
                "no se "
                "puede modificar.",
                "Cifrado en tránsito; cifrado en reposo de lo que escriben las personas si se fija STORE_KEY "
                "[¿fijada?].",
                "Números enmascarados en los registros técnicos; respaldos probados.",
                "Quienes acceden están obligados a guardar secreto, también después de terminado el contrato.",
            ],
        ),
        Section("Plazos de conservación", table=retention_table(subject)),
        Section(
            "Ayuda con los derechos de las personas",
            paragraphs=[
                "El encargado busca, exporta, bloquea y borra los datos de una persona cuando el responsable lo "
                "pide, con "
                "un recibo de cada acción: a tiempo para responder en 30 días corridos, y en 2 días hábiles un "
                "bloqueo.",
            ],
        ),
        Section(
            "Vulneraciones de seguridad",
            paragraphs=[
                "El encargado informa al responsable sin dilaciones indebidas, [en cuántas horas], con el informe de "
                "accesos: cuántas personas, qué categorías, quién y desde dónde.",
            ],
        ),
        Section(
            "Término",
            paragraphs=[
                "El encargado devuelve los datos al responsable y los borra, también donde sus proveedores, y "
                "entrega el "
                "recibo. En los respaldos dejan de existir a los [días].",
                f"{ACT}, artículos 14 bis, 14 quinquies y 15 bis. {IN_FORCE}",
            ],
        ),
    ]


def _data(subject: PaperSubject) -> Iterator[str]:
    yield f"Personas: quienes escriben al WhatsApp de {subject.name}, y terceros de los que hablen."
    yield "Datos: número o identificador de WhatsApp, nombre, mensajes, archivos, ubicación y contactos que envíen."
    if subject.sensitive:
        yield f"Datos sensibles: {subject.sensitive}."
    else:
        yield "Datos sensibles: ninguno declarado. Si se tratan, hay que declararlos en el manifiesto "
        "(«data.sensitive»)."
    yield f"Menores de 14 años: {'sí' if subject.data.minors else 'no declarados'}."
